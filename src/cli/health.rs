//! `hookyard health`: is the server ready? For container and service managers.

use super::{Common, Verdict, output, server, setup};
use crate::action::{Client, Consent, Egress};
use crate::json::Json;
use http::Method;
use std::time::Duration;
use tokio::time::timeout;

const TIME_LIMIT: Duration = Duration::from_secs(10);
const ANSWER_BYTES: usize = 4 << 10;

pub(super) fn run(common: &Common) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let address = server::reachable(&config.admin.listen);
    let request = server::request(&config, Method::GET, &address, "/readyz", None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let why = runtime.block_on(async {
        let client = Client::new(Egress::default());
        match timeout(TIME_LIMIT, client.send(request, &Consent::Author, ANSWER_BYTES)).await {
            Ok(Ok(answer)) if answer.status.is_success() => None,
            Ok(Ok(answer)) => Some(String::from_utf8_lossy(&answer.body).trim_end().to_owned()),
            Ok(Err(error)) => Some(format!("no server answers at {address}: {error}")),
            Err(_) => Some(format!("{address} does not answer within {TIME_LIMIT:?}")),
        }
    });
    if common.json {
        output::line(Json::object([("ready", why.is_none().into()), ("why", why.clone().into())]))?;
    } else {
        output::line(why.as_deref().map_or("ready".to_owned(), output::printable))?;
    }
    Ok(if why.is_none() { Verdict::Fine } else { Verdict::Problems })
}
