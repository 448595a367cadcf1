//! A blocking client that sends and shows bytes exactly as they are.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{Address, PATIENCE, Reply, encode, wire};

/// One connection. What goes wrong on it fails the test, unless the method says otherwise.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<Stream>,
}

impl Client {
    /// Connects; reads give up after [`PATIENCE`].
    #[track_caller]
    pub fn connect(address: &Address) -> Client {
        Client::try_connect(address).unwrap_or_else(|error| panic!("connect {address}: {error}"))
    }

    /// Connects, where failing is an answer too.
    pub fn try_connect(address: &Address) -> io::Result<Client> {
        let stream = match address {
            Address::Tcp(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
        };
        let client = Client { stream: BufReader::with_capacity(64 * 1024, stream) };
        client.set_patience(PATIENCE);
        Ok(client)
    }

    /// Connects and shakes hands, where failing is an answer too; `name` is who should be there.
    pub fn try_connect_tls(
        address: &Address,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Client> {
        let Address::Tcp(port) = address else { panic!("TLS needs TCP") };
        let mut stream = TcpStream::connect(("127.0.0.1", *port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut session =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let stream = Stream::Tls(Box::new(StreamOwned::new(session, stream)));
        let client = Client { stream: BufReader::with_capacity(64 * 1024, stream) };
        client.set_patience(PATIENCE);
        Ok(client)
    }

    /// The same connection once more, to send on while another thread reads.
    pub fn sender(&self) -> Client {
        let stream = self.stream.get_ref().try_clone().expect("a spare file");
        Client { stream: BufReader::with_capacity(0, stream) }
    }

    /// The address that the other side sees, of a TCP connection.
    pub fn local_address(&self) -> SocketAddr {
        match self.stream.get_ref() {
            Stream::Tcp(stream) => stream.local_addr().expect("it is connected"),
            _ => panic!("no plain TCP connection"),
        }
    }

    /// Lets the kernel keep no more than a few KiB of what comes.
    pub fn receive_little(&self) {
        if let Stream::Tcp(stream) = self.stream.get_ref() {
            set_socket_recv_buffer_size(stream, 4096).expect("a TCP socket");
        }
    }

    /// How long a read or a write may wait.
    pub fn set_patience(&self, limit: Duration) {
        self.stream.get_ref().set_timeouts(limit).expect("a timeout above zero");
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("send");
    }

    /// Sends these bytes, where failing is an answer too.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// Sends as much of these bytes as the other side takes before the patience is over; how much.
    pub fn send_some(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.get_mut().write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if is_timeout(&error) => break,
                Err(error) => panic!("send: {error}"),
            }
        }
        sent
    }

    /// Sends a command and reads its reply.
    #[track_caller]
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        self.send(&encode(arguments));
        self.read_reply()
    }

    /// Sends a command and reads its reply, where failing is an answer too.
    pub fn try_command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        self.try_send(&encode(arguments))?;
        self.try_read_reply()
    }

    /// Sends all commands in one write and reads as many replies.
    #[track_caller]
    pub fn pipeline<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Vec<Reply> {
        self.send(&commands.iter().flat_map(|command| encode(command)).collect::<Vec<u8>>());
        commands.iter().map(|_| self.read_reply()).collect()
    }

    /// Reads one reply.
    #[track_caller]
    pub fn read_reply(&mut self) -> Reply {
        self.try_read_reply().unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// Reads one reply, where failing is an answer too.
    pub fn try_read_reply(&mut self) -> io::Result<Reply> {
        wire::read_reply(&mut self.stream, &mut Vec::new())
    }

    /// Reads one reply, as its bytes.
    #[track_caller]
    pub fn read_reply_bytes(&mut self) -> Vec<u8> {
        self.try_read_reply_bytes().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads one reply as its bytes, where failing is an answer too.
    pub fn try_read_reply_bytes(&mut self) -> Result<Vec<u8>, String> {
        let mut raw = Vec::new();
        match wire::read_reply(&mut self.stream, &mut raw) {
            Ok(_) => Ok(raw),
            Err(error) => Err(format!("after \"{}\": {error}", raw.escape_ascii())),
        }
    }

    /// Reads exactly these bytes.
    #[track_caller]
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let expected = bytes.as_ref();
        let mut got = Vec::new();
        while got.len() < expected.len() {
            let chunk = self.stream.fill_buf().unwrap_or_default();
            if chunk.is_empty() {
                break;
            }
            let taken = chunk.len().min(expected.len() - got.len());
            got.extend_from_slice(&chunk[..taken]);
            self.stream.consume(taken);
        }
        if got != expected {
            let (got, expected) = (got.escape_ascii(), expected.escape_ascii());
            panic!("\n expected \"{expected}\"\n      got \"{got}\"");
        }
    }

    /// Reads replies until they end with these bytes.
    #[track_caller]
    pub fn read_to_end_of(&mut self, end: &str) -> Vec<u8> {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            read.extend(wire_byte(&mut self.stream));
        }
        read
    }

    /// Nothing comes for as long as `quiet`, and the connection stays open.
    #[track_caller]
    pub fn expect_silence(&mut self, quiet: Duration) {
        self.set_patience(quiet);
        match self.stream.fill_buf() {
            Ok([]) => panic!("expected silence, the connection was closed"),
            Ok(bytes) => panic!("expected silence, got \"{}\"", bytes.escape_ascii()),
            Err(error) if is_timeout(&error) => self.set_patience(PATIENCE),
            Err(error) => panic!("expected silence: {error}"),
        }
    }

    /// The other side closes without another byte.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let rest = self.read_to_close();
        assert!(rest.is_empty(), "expected a close, got \"{}\"", rest.escape_ascii());
    }

    /// The other side says that it closes, in a way that nobody between can make up (TLS), or with
    /// an end that is no reset.
    #[track_caller]
    pub fn expect_goodbye(&mut self) {
        let mut rest = Vec::new();
        let ended = self.stream.read_to_end(&mut rest);
        assert!(ended.is_ok() && rest.is_empty(), "{ended:?} after \"{}\"", rest.escape_ascii());
    }

    /// All bytes until the other side closes or resets.
    #[track_caller]
    pub fn read_to_close(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if is_timeout(&error) => {
                panic!("still open after \"{}\"", rest.escape_ascii())
            }
            _ => rest,
        }
    }

    /// The certificate that the other side showed, with TLS.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        match self.stream.get_ref() {
            Stream::Tls(stream) => stream.conn.peer_certificates()?.first().cloned(),
            Stream::Tcp(_) | Stream::Unix(_) => None,
        }
    }

    /// Resets the connection (RST, not FIN): the other side learns at once that nobody is left.
    pub fn reset(self) {
        if let Stream::Tcp(stream) = self.stream.get_ref() {
            set_socket_linger(stream, Some(Duration::ZERO)).expect("a TCP socket");
        }
    }

    /// A second handle to the same connection, to write while this one reads.
    pub fn try_clone(&self) -> io::Result<Client> {
        let stream = self.stream.get_ref().try_clone()?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Says that nothing more will be sent; replies can still be read.
    pub fn close_writing(&self) {
        // An error says that the other side closed first.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }
}

/// Says the words of a line, parted by single spaces, and reads the reply.
#[track_caller]
pub fn say(client: &mut Client, line: &str) -> Reply {
    client.command(&line.split(' ').collect::<Vec<_>>())
}

/// The same; the reply as its bytes.
#[track_caller]
pub fn raw(client: &mut Client, line: &str) -> String {
    client.send(&encode(&line.split(' ').collect::<Vec<_>>()));
    String::from_utf8_lossy(&client.read_reply_bytes()).into_owned()
}

#[track_caller]
fn wire_byte(stream: &mut BufReader<Stream>) -> Option<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("more to read");
    Some(byte[0])
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn try_clone(&self) -> io::Result<Stream> {
        Ok(match self {
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone()?),
            Stream::Unix(stream) => Stream::Unix(stream.try_clone()?),
            Stream::Tls(_) => return Err(ErrorKind::Unsupported.into()),
        })
    }

    fn set_timeouts(&self, limit: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))
            }
            Stream::Tls(stream) => {
                stream.sock.set_read_timeout(Some(limit))?;
                stream.sock.set_write_timeout(Some(limit))
            }
        }
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Unix(stream) => stream.shutdown(how),
            Stream::Tls(stream) => stream.sock.shutdown(how),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(into),
            Stream::Unix(stream) => stream.read(into),
            Stream::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }
}
