//! Three hundred faults and more: nothing is lost, nothing comes twice, all is well soon after.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::seeded::Seeded;
use cx_ledger::{
    Append, Direction, Expected, Follow, KurrentLedger, Ledger, MemoryLedger, RawNewEvent,
};
use cx_model::{Position, StreamName};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::proxy::{Proxy, Weather};
use super::server::{Server, ledger_at};

/// How soon all is well after a fault.
const SOON: Duration = Duration::from_secs(2);

/// What goes wrong, and for how long.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Network(Weather),
    /// The server dies and comes back.
    Restart,
    /// Every subscription ends well.
    CleanEnd,
}

fn fault(random: &mut Seeded) -> Fault {
    match random.below(20) {
        0..=3 => Fault::Network(Weather::Late(Duration::from_millis(5 + random.below(20)))),
        4..=7 => Fault::Network(Weather::Reset),
        8 => Fault::Network(Weather::Swallow),
        9..=11 => Fault::Network(Weather::Dribble),
        12..=15 => Fault::Network(Weather::Cut(1 + random.below(300) as u32)),
        16..=17 => Fault::Restart,
        _ => Fault::CleanEnd,
    }
}

fn event(n: u64) -> RawNewEvent {
    RawNewEvent {
        id: Uuid::new_v4(),
        event_type: "Counted".into(),
        data: format!(r#"{{"n":{n}}}"#).into(),
        metadata: "{}".into(),
    }
}

fn stream(n: u64) -> StreamName {
    StreamName::of("case", Uuid::from_u64_pair(7, n))
}

/// Appends one event after the other until it is told to stop; how many there are.
async fn write(ledger: KurrentLedger, n: u64, stop: watch::Receiver<bool>) -> u64 {
    let stream = stream(n);
    let mut count = 0;
    while !*stop.borrow() {
        let expected = match (n % 2, count) {
            (0, _) => Expected::Any,
            (_, 0) => Expected::NoStream,
            (_, count) => Expected::Revision(count - 1),
        };
        let append = Append { stream: stream.clone(), expected, events: vec![event(count)] };
        let appended = ledger.append(append).await.unwrap();
        assert_eq!((appended.revision, appended.repeated), (Some(count), false));
        count += 1;
        sleep_until(Instant::now() + Duration::from_millis(3)).await;
    }
    count
}

/// Everything that a follower was told, checked as it comes.
struct Told {
    follow: Box<dyn Follow>,
    next: HashMap<StreamName, u64>,
    ordinal: u64,
    position: Position,
}

impl Told {
    fn of(ledger: &KurrentLedger) -> Self {
        let follow = ledger.follow(Position::START);
        Self { follow, next: HashMap::new(), ordinal: 0, position: Position::START }
    }

    /// Hears until this position was told.
    async fn until(&mut self, position: Position) {
        while self.position < position {
            for event in self.follow.next(100).await.unwrap() {
                let next = self.next.entry(event.stream).or_default();
                assert_eq!(event.revision, *next, "an event was lost or came twice");
                *next += 1;
                self.ordinal += 1;
                assert_eq!(event.ordinal, self.ordinal);
                assert!(event.position > self.position);
                self.position = event.position;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_faults_lose_nothing_and_repeat_nothing() {
    let stored: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let (end, ends) = watch::channel(0);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut server = Some(Server::start_ending(Arc::clone(&stored), any, ends.clone()));
    let address = server.as_ref().unwrap().address;
    let proxy = Proxy::start(address).await;
    let ledger = ledger_at(&[proxy.address]).await;
    let (stop, stopped) = watch::channel(false);
    let writers: Vec<_> =
        (0..3).map(|n| tokio::spawn(write(ledger.clone(), n, stopped.clone()))).collect();
    let mut told = Told::of(&ledger);
    let mut random = Seeded::new(1);
    let mut marks = 0;
    let mut slowest = (Duration::ZERO, None);
    for number in 0..310 {
        let fault = fault(&mut random);
        let lasts = Instant::now() + Duration::from_millis(20 + random.below(60));
        match fault {
            Fault::Network(weather) => proxy.let_be(weather),
            Fault::Restart => drop(server.take()),
            Fault::CleanEnd => end.send_modify(|count| *count += 1),
        }
        sleep_until(lasts).await;
        proxy.let_be(Weather::Fair);
        if server.is_none() {
            server = Some(Server::start_ending(Arc::clone(&stored), address, ends.clone()));
        }
        let ended = Instant::now();
        let mark =
            Append { stream: stream(99), expected: Expected::Any, events: vec![event(marks)] };
        let well = async {
            let appended = ledger.append(mark).await.unwrap();
            told.until(appended.position).await;
        };
        let well = timeout(SOON, well).await;
        assert!(well.is_ok(), "fault {number}, {fault:?}: not well {SOON:?} after its end");
        marks += 1;
        if ended.elapsed() > slowest.0 {
            slowest = (ended.elapsed(), Some(fault));
        }
    }
    stop.send_replace(true);
    let mut written = vec![(99, marks)];
    for (n, writer) in writers.into_iter().enumerate() {
        written.push((n as u64, writer.await.unwrap()));
    }
    told.until(ledger.head().await.unwrap()).await;
    let total: u64 = written.iter().map(|(_, count)| count).sum();
    println!(
        "{total} events over 310 faults with {} clients, slowest recovery {slowest:?}",
        ledger.clients_built()
    );
    for (n, count) in written {
        let read =
            stored.read_stream(&stream(n), 0, Direction::Forwards, usize::MAX).await.unwrap();
        let numbers: Vec<_> = read.iter().map(|event| event.data.clone()).collect();
        let expected: Vec<_> = (0..count).map(|n| event(n).data).collect();
        assert!(numbers == expected, "stream {n} holds each event once and in order");
        assert_eq!(told.next.get(&stream(n)).copied().unwrap_or(0), count);
    }
    assert!(ledger.findings().is_empty());
}
