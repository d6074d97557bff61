//! Somebody else's mail server, unencrypted: takes every mail, unless the test says otherwise.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::eventually;

/// A server on a port of its own. Its threads end with the test process.
#[derive(Clone)]
pub struct MailServer {
    pub address: SocketAddr,
    /// What each mail was: from the envelope to the dot, line by line.
    mails: Arc<Mutex<Vec<String>>>,
    /// Answers to the next mails; then 250.
    answers: Arc<Mutex<Vec<&'static str>>>,
}

impl MailServer {
    /// The answers to the first mails, the last one first.
    pub fn start(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        let server = Self { address, mails: Arc::default(), answers };
        let accepting = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = accepting.clone();
                // A client that hangs up is none of the test's business.
                std::thread::spawn(move || serving.serve(&stream).ok());
            }
        });
        server
    }

    /// Waits until at least so many mails have arrived.
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let mails = || self.mails.lock().expect("no test panics while holding it").clone();
        eventually(&format!("{count} mails arrive"), || Some(mails()).filter(|mails| mails.len() >= count))
    }

    fn serve(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        stream.write_all(b"220 ready\r\n")?;
        let mut mail = String::new();
        let mut in_mail = false;
        for line in BufReader::new(stream).lines() {
            let line = line?;
            mail += &format!("{line}\n");
            let answer = match line.as_str() {
                "." if in_mail => {
                    in_mail = false;
                    self.mails.lock().expect("no test panics while holding it").push(mail.clone());
                    self.answers
                        .lock()
                        .expect("no test panics while holding it")
                        .pop()
                        .unwrap_or("250 queued")
                }
                _ if in_mail => continue,
                "DATA" => {
                    in_mail = true;
                    "354 go on"
                }
                _ => "250 fine",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes())?;
        }
        Ok(())
    }
}
