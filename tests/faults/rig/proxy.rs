//! A proxy between the service and PostgreSQL that knows enough of the wire to break a connection at an exact moment.

use anyhow::Context;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The longest message that is passed on.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// What statements hold that keep the answer of a call: those of the lanes, and the last one of a call's transaction.
const ANSWER: &str = "INSERT INTO idempotency_key";

/// The message that a trap waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// `COMMIT` of a transaction that keeps the answer of a call. Nobody waits for any other one.
    Commit,
    /// A lane's statement, which is its own transaction.
    Ledger,
}

/// What happens at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Snare {
    /// The message is not passed on, and its backend is ended: nothing was committed.
    KilledBefore,
    /// The message is passed on, and its backend is ended meanwhile: nobody knows.
    KilledMeanwhile,
    /// The message is passed on, and its answer is not: it was committed.
    AnswerLost,
    /// The same, and nobody else's connection is cut.
    AnswerLostAlone,
}

/// What the way is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fine,
    /// No connection is left, and no new one is made.
    Down,
    /// Connections with lower numbers pass nothing on, and do not end.
    SilentBelow(u64),
}

#[derive(Debug)]
struct Shared {
    /// The socket of the database's server.
    upstream: Mutex<PathBuf>,
    weather: watch::Sender<Weather>,
    trap: Mutex<Option<(Moment, Snare)>>,
    /// How many traps have closed.
    closed: watch::Sender<u32>,
}

/// The proxy; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    connections: Arc<Mutex<u64>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.weather.send_replace(Weather::Down);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}

impl Proxy {
    /// Listens on loopback, before the server whose socket lies in a folder.
    pub(crate) async fn start(socket_dir: &Path) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            upstream: Mutex::new(socket_in(socket_dir)),
            weather: watch::Sender::new(Weather::Fine),
            trap: Mutex::default(),
            closed: watch::Sender::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(Mutex::new(0));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), Arc::clone(&connections)));
        Ok(Self { address, shared, accepting, connections })
    }

    /// The address of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}?sslmode=disable", self.address)
    }

    /// Goes to another server from now on.
    pub(crate) fn go_to(&self, socket_dir: &Path) {
        *locked(&self.shared.upstream) = socket_in(socket_dir);
    }

    /// Passes nothing on for the connections of now, which stay open: their other ends might have lost their power.
    pub(crate) fn silence(&self) {
        let next = *locked(&self.connections);
        self.shared.weather.send_replace(Weather::SilentBelow(next));
    }

    /// Everything is passed on again.
    pub(crate) fn mend(&self) {
        self.shared.weather.send_replace(Weather::Fine);
    }

    /// Waits for a moment, and then does this to its connection and, unless it is to be alone, cuts all others.
    pub(crate) fn set_trap(&self, moment: Moment, snare: Snare) {
        *locked(&self.shared.trap) = Some((moment, snare));
    }

    /// Waits until so many traps have closed.
    pub(crate) async fn until_closed(&self, traps: u32) {
        let mut closed = self.shared.closed.subscribe();
        let _ = closed.wait_for(|closed| *closed >= traps).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, connections: Arc<Mutex<u64>>) {
    while let Ok((client, _)) = listener.accept().await {
        let number = {
            let mut next = locked(&connections);
            *next += 1;
            *next - 1
        };
        if *shared.weather.borrow() == Weather::Down {
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut weather = shared.weather.subscribe();
            // Whoever ends first ends both: the sockets are dropped.
            tokio::select! {
                _ = relay(client, number, &shared) => {}
                _ = weather.wait_for(|weather| *weather == Weather::Down) => {}
            }
        });
    }
}

/// What a client has said so far.
#[derive(Debug, Default)]
struct Spoken {
    /// Names of the statements that keep answers.
    answering: BTreeSet<Vec<u8>>,
    /// Whether one of them was used since the last `BEGIN`, `COMMIT` or `ROLLBACK`.
    has_answered: bool,
}

/// What both directions of a connection know.
struct Line<'a> {
    number: u64,
    shared: &'a Shared,
    socket: PathBuf,
    /// The state that the server told last: `I` outside of transactions.
    state: AtomicU8,
    /// Set when the server's next answer is kept from the client, if it is a good one.
    lost: Mutex<Option<(Moment, Snare)>>,
    is_killing: AtomicBool,
    backend: watch::Sender<Option<i32>>,
}

async fn relay(client: TcpStream, number: u64, shared: &Shared) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let socket = locked(&shared.upstream).clone();
    let server = UnixStream::connect(&socket).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let line = Line {
        number,
        shared,
        socket,
        state: AtomicU8::new(0),
        lost: Mutex::default(),
        is_killing: AtomicBool::new(false),
        backend: watch::Sender::new(None),
    };
    // Kept until both directions end: the client hears the end when its half is dropped.
    let mut to_client = BufWriter::new(to_client);
    let down = async {
        let ended = line.down(BufReader::new(from_server), &mut to_client).await;
        // A backend that is being killed ends before its killer is done.
        if line.is_killing.load(Ordering::SeqCst) { std::future::pending().await } else { ended }
    };
    tokio::select! {
        ended = line.up(BufReader::new(from_client), BufWriter::new(to_server)) => ended,
        ended = down => ended,
    }
}

/// One message, its type in front; the first one of a client has none.
async fn message(from: &mut (impl AsyncRead + Unpin), is_first: bool) -> anyhow::Result<Vec<u8>> {
    let mut message = if is_first { Vec::new() } else { vec![from.read_u8().await?] };
    let length = from.read_u32().await?;
    message.extend(length.to_be_bytes());
    let rest = usize::try_from(length)?.checked_sub(4).filter(|rest| *rest <= MAX_MESSAGE);
    let begun = message.len();
    message.resize(begun + rest.context("a message has no such length")?, 0);
    from.read_exact(message.get_mut(begun..).unwrap_or_default()).await?;
    Ok(message)
}

/// The zero-terminated text at the beginning.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

impl Line<'_> {
    /// Passes on what the client says.
    async fn up(
        &self,
        mut client: BufReader<impl AsyncRead + Unpin>,
        mut server: BufWriter<impl AsyncWrite + Unpin>,
    ) -> anyhow::Result<()> {
        let mut spoken = Spoken::default();
        let mut is_first = true;
        loop {
            let message = message(&mut client, is_first).await?;
            is_first = false;
            self.voice().await;
            match self.snare_at(&message, &mut spoken) {
                Some((_, snare @ Snare::KilledBefore)) => {
                    self.kill_backend().await?;
                    self.close(snare);
                    return Ok(());
                }
                Some((_, snare @ Snare::KilledMeanwhile)) => {
                    self.is_killing.store(true, Ordering::SeqCst);
                    server.write_all(&message).await?;
                    // A statement is carried out when its `Sync` is read, which lies behind it.
                    while !client.buffer().is_empty() {
                        let message = self::message(&mut client, false).await?;
                        server.write_all(&message).await?;
                    }
                    server.flush().await?;
                    self.kill_backend().await?;
                    self.close(snare);
                    return Ok(());
                }
                Some(lost) => *locked(&self.lost) = Some(lost),
                None => {}
            }
            server.write_all(&message).await?;
            if client.buffer().is_empty() {
                server.flush().await?;
            }
        }
    }

    /// Passes on what the server says.
    async fn down(
        &self,
        mut server: BufReader<impl AsyncRead + Unpin>,
        client: &mut BufWriter<impl AsyncWrite + Unpin>,
    ) -> anyhow::Result<()> {
        let mut kept_back = Vec::new();
        loop {
            let message = message(&mut server, false).await?;
            match message.split_first() {
                Some((b'Z', rest)) => self.state.store(rest.last().copied().unwrap_or(0), Ordering::SeqCst),
                Some((b'K', rest)) => {
                    let pid = rest.get(4..8).and_then(|pid| pid.try_into().ok()).map(i32::from_be_bytes);
                    self.backend.send_replace(pid);
                }
                _ => {}
            }
            self.voice().await;
            if self.is_killing.load(Ordering::SeqCst) {
                continue;
            }
            let lost = *locked(&self.lost);
            if let Some((moment, snare)) = lost {
                let is_ready = message.first() == Some(&b'Z');
                kept_back.push(message);
                if !is_ready {
                    continue;
                }
                // Ready again: what was asked for is done, unless it was refused. Then the trap waits on.
                if !kept_back.iter().any(|message| message.first() == Some(&b'E')) {
                    self.close(snare);
                    return Ok(());
                }
                *locked(&self.lost) = None;
                *locked(&self.shared.trap) = Some((moment, snare));
                for message in kept_back.drain(..) {
                    client.write_all(&message).await?;
                }
                client.flush().await?;
                continue;
            }
            client.write_all(&message).await?;
            if server.buffer().is_empty() {
                client.flush().await?;
            }
        }
    }

    /// Waits until this connection may speak.
    async fn voice(&self) {
        let mut weather = self.shared.weather.subscribe();
        let is_silent =
            |weather: &Weather| matches!(weather, Weather::SilentBelow(next) if self.number < *next);
        let _ = weather.wait_for(|weather| !is_silent(weather)).await;
    }

    /// What happens at this message, if a trap was set for it. A trap closes once.
    fn snare_at(&self, message: &[u8], spoken: &mut Spoken) -> Option<(Moment, Snare)> {
        let (kind, body) = (message.first()?, message.get(5..)?);
        let is_outside = self.state.load(Ordering::SeqCst) == b'I';
        let moment = match kind {
            b'P' => {
                let name = text(body);
                let sql = String::from_utf8_lossy(text(body.get(name.len() + 1..)?));
                if sql.contains(ANSWER) {
                    spoken.answering.insert(name.to_owned());
                }
                return None;
            }
            b'B' => {
                let statement = text(body.get(text(body).len() + 1..)?);
                let answers = spoken.answering.contains(statement);
                spoken.has_answered |= answers;
                (answers && is_outside).then_some(Moment::Ledger)?
            }
            b'Q' => {
                let has_answered = std::mem::take(&mut spoken.has_answered);
                (has_answered && text(body) == b"COMMIT").then_some(Moment::Commit)?
            }
            _ => return None,
        };
        locked(&self.shared.trap).take_if(|(waits_for, _)| *waits_for == moment)
    }

    /// Ends the backend of this connection, and waits until it is gone.
    async fn kill_backend(&self) -> anyhow::Result<()> {
        self.is_killing.store(true, Ordering::SeqCst);
        let pid = self.backend.borrow().context("the server did not tell its process id")?;
        let folder = self.socket.parent().context("the socket lies nowhere")?;
        let mut superuser = PgConnection::connect(&super::ground::url_in(folder, "postgres")).await?;
        sqlx::query("SELECT pg_terminate_backend($1, 10000)").bind(pid).execute(&mut superuser).await?;
        Ok(superuser.close().await?)
    }

    /// Ends this connection, and all others until somebody mends the way.
    fn close(&self, snare: Snare) {
        if snare != Snare::AnswerLostAlone {
            self.shared.weather.send_replace(Weather::Down);
        }
        self.shared.closed.send_modify(|closed| *closed += 1);
    }
}
