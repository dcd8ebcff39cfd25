//! A TCP forwarder in front of a server, so that a test can refuse, silence, cut or divert the way to it without
//! touching the server, which others use too.
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// What happens to a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It goes through to this address.
    To(SocketAddr),
    /// It is taken and never answered.
    Silent,
    /// It goes through to this address and is closed once it has carried [`BREAKS_AFTER`] bytes there.
    Breaking(SocketAddr),
    /// It is closed at once.
    Refusing,
}

/// How many bytes a connection carries until it is closed, in [`State::Breaking`].
pub const BREAKS_AFTER: u64 = 1024 * 1024;

/// The forwarder. Dropping it closes everything.
pub struct Road {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    under_way: Arc<Mutex<JoinSet<()>>>,
    broke: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl Road {
    /// Listens on `from`, of which port 0 is any free one, and goes to `to`. Waits for its turn while another test
    /// listens there.
    pub async fn new(from: SocketAddr, to: SocketAddr) -> Self {
        let limit = Instant::now() + Duration::from_secs(300);
        let listener = loop {
            match TcpListener::bind(from).await {
                Ok(listener) => break listener,
                Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < limit => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => panic!("{from}: {error}"),
            }
        };
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::To(to)));
        let under_way = Arc::new(Mutex::new(JoinSet::new()));
        let broke = Arc::new(AtomicUsize::new(0));
        let accepting = accept(listener, state.clone(), under_way.clone(), broke.clone());
        let accepting = tokio::spawn(accepting);
        Self {
            address,
            state,
            under_way,
            broke,
            accepting: accepting.abort_handle(),
        }
    }

    /// From now on; what is under way goes on.
    pub fn set(&self, state: State) {
        *self.state.lock().unwrap() = state;
    }

    /// How many connections were closed in [`State::Breaking`].
    pub fn broke(&self) -> usize {
        self.broke.load(Ordering::Relaxed)
    }

    /// Cuts every connection that is under way.
    pub fn cut(&self) {
        self.under_way.lock().unwrap().abort_all();
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    state: Arc<Mutex<State>>,
    under_way: Arc<Mutex<JoinSet<()>>>,
    broke: Arc<AtomicUsize>,
) {
    while let Ok((mut here, _)) = listener.accept().await {
        let state = *state.lock().unwrap();
        let broke = broke.clone();
        under_way.lock().unwrap().spawn(async move {
            match state {
                State::To(to) => {
                    let Ok(mut there) = TcpStream::connect(to).await else {
                        return;
                    };
                    let _ = here.set_nodelay(true);
                    let _ = there.set_nodelay(true);
                    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                }
                State::Breaking(to) => {
                    let Ok(mut there) = TcpStream::connect(to).await else {
                        return;
                    };
                    let (from_here, mut to_here) = here.split();
                    let (mut from_there, mut to_there) = there.split();
                    let mut some = from_here.take(BREAKS_AFTER);
                    tokio::select! {
                        _ = tokio::io::copy(&mut some, &mut to_there) => {}
                        _ = tokio::io::copy(&mut from_there, &mut to_here) => {}
                    }
                    if some.limit() == 0 {
                        broke.fetch_add(1, Ordering::Relaxed);
                    }
                }
                State::Silent => std::future::pending().await,
                State::Refusing => {}
            }
        });
    }
}
