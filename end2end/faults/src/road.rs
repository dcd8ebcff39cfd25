//! A TCP forwarder in front of a server, so that a test can refuse, silence, cut or divert the way to it without
//! touching the server, which others use too.
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// What happens to a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It goes through to this address.
    To(SocketAddr),
    /// It is taken and never answered.
    Silent,
    /// It is closed at once.
    Refusing,
}

/// The forwarder. Dropping it closes everything.
pub struct Road {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    under_way: Arc<Mutex<JoinSet<()>>>,
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
        let accepting = tokio::spawn(accept(listener, state.clone(), under_way.clone()));
        Self {
            address,
            state,
            under_way,
            accepting: accepting.abort_handle(),
        }
    }

    /// From now on; what is under way goes on.
    pub fn set(&self, state: State) {
        *self.state.lock().unwrap() = state;
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
) {
    while let Ok((mut here, _)) = listener.accept().await {
        let state = *state.lock().unwrap();
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
                State::Silent => std::future::pending().await,
                State::Refusing => {}
            }
        });
    }
}
