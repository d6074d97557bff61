// Node-RED as a receiver only: no editor, no calls home, and `crypto` for the function that verifies.
// What is not set here comes from the environment and the command line.
module.exports = {
    flowFile: "flow.json",
    uiHost: "127.0.0.1",
    httpAdminRoot: false,
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    functionGlobalContext: { crypto: require("crypto") },
    logging: { console: { level: "error", metrics: false, audit: false } },
};
