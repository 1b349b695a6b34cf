//! A stock `TcpListener` on descriptor 3: answers each line in upper case, client by client; ends after the number of clients in its argument.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::wasi::io::FromRawFd;

fn main() -> std::io::Result<()> {
    let clients = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    // SAFETY: descriptor 3 is the listener that the host opened for this program, and nothing else owns it.
    let listener = unsafe { TcpListener::from_raw_fd(3) };
    println!("serving");
    for stream in listener.incoming().take(clients) {
        let stream = stream?;
        let mut answers = &stream;
        for line in BufReader::new(&stream).lines() {
            writeln!(answers, "{}", line?.to_uppercase())?;
        }
    }
    Ok(())
}
