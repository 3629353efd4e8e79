//! What every engine must do: one suite over the port, run against each.
//!
//! Generated operations are made on the engine and on a simple model, and every answer is compared.
//! A failure panics and names the seed, which replays the run.

mod model;

use cx_model::{Position, StreamName};
use futures::FutureExt;

use crate::error::AppendError;
use crate::port::{
    APPEND_LIMIT, Append, Direction, EVENT_LIMIT, Expected, Follow, Health, Ledger, RawNewEvent,
};
use crate::seeded::Seeded;
use model::Model;

/// In what engines may differ.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    /// `append_many` is all or none; otherwise it stops at the first stream that fails.
    pub atomic_many: bool,
    /// An id may stand in several streams; otherwise in one.
    pub ids_per_stream: bool,
}

/// Runs `steps` generated operations on an empty ledger and compares every answer with the model.
///
/// # Panics
/// If the engine does anything else than the model, naming the seed.
pub async fn operations(ledger: &dyn Ledger, engine: Engine, seed: u64, steps: usize) {
    let mut run = Run {
        ledger,
        engine,
        random: Seeded::new(seed),
        model: Model { ids_per_stream: engine.ids_per_stream, ..Model::default() },
        followers: Vec::new(),
        seed,
    };
    for step in 0..steps {
        match run.random.below(20) {
            0..=8 => run.append().await,
            9..=10 => run.append_many().await,
            11..=13 => run.read_stream().await,
            14..=16 => run.read_all().await,
            17 => run.position_at().await,
            18 => run.follow().await,
            _ => run.compare_everything(step).await,
        }
    }
    run.compare_everything(steps).await;
    run.follow_to_the_end().await;
}

struct Run<'a> {
    ledger: &'a dyn Ledger,
    engine: Engine,
    random: Seeded,
    model: Model,
    followers: Vec<(Box<dyn Follow>, usize)>,
    seed: u64,
}

impl Run<'_> {
    fn stream(&mut self) -> StreamName {
        let id = uuid::Uuid::from_u64_pair(self.seed, self.random.below(6));
        StreamName::of(["customer", "case"][self.random.below(2) as usize], id)
    }

    fn event(&mut self) -> RawNewEvent {
        let long = if self.random.one_in(12) { 20_000 } else { 200 };
        let length = self.random.below(long) as usize;
        let data = format!(r#"{{"n":{},"text":"{}"}}"#, self.random.number(), "ä".repeat(length));
        let metadata = match self.random.below(3) {
            0 => String::new(),
            1 => "{}".into(),
            _ => format!(r#"{{"$correlationId":"{}"}}"#, self.random.id()),
        };
        RawNewEvent {
            id: self.random.id(),
            event_type: format!("Type{}", self.random.below(5)).into(),
            data: data.into(),
            metadata: metadata.into(),
        }
    }

    /// An append that is mostly new and well expected, and in every way wrong now and then.
    fn make_append(&mut self) -> Append {
        let stream = self.stream();
        let actual = self.model.last_revision(&stream);
        let wrong = self.random.below(4);
        let expected = match self.random.below(8) {
            0 => Expected::NoStream,
            1 => Expected::StreamExists,
            2 => Expected::Revision(wrong),
            3..=5 => actual.map_or(Expected::NoStream, Expected::Revision),
            _ => Expected::Any,
        };
        let count = if self.random.one_in(15) { 0 } else { 1 + self.random.below(4) };
        let events = (0..count).map(|_| self.event()).collect();
        let mut append = Append { stream, expected, events };
        match self.random.below(8) {
            0 => self.repeat_an_earlier(&mut append),
            1 => self.reuse_an_id(&mut append),
            _ => {}
        }
        append
    }

    fn repeat_an_earlier(&mut self, append: &mut Append) {
        let Some(first) = self.model.any(&mut self.random) else { return };
        append.stream = first.stream.clone();
        let rest = self.model.of_stream(&append.stream).skip(first.revision as usize);
        let count = 1 + self.random.below(3) as usize;
        append.events = rest.take(count).map(|event| event.new.clone()).collect();
        if self.random.one_in(4) {
            append.events.reverse();
        }
    }

    fn reuse_an_id(&mut self, append: &mut Append) {
        let Some(earlier) = self.model.any(&mut self.random).map(|event| event.new.id) else {
            return;
        };
        if !append.events.is_empty() {
            let place = self.random.below(append.events.len() as u64) as usize;
            let inner = append.events[0].id;
            append.events[place].id = if self.random.one_in(3) { inner } else { earlier };
        }
    }

    async fn append(&mut self) {
        let append = self.make_append();
        let answer = self.ledger.append(append.clone()).await;
        let modelled = self.model.append(&append);
        self.agree(&append, &answer, &modelled);
    }

    async fn append_many(&mut self) {
        let count = self.random.below(5);
        let mut appends: Vec<_> = (0..count).map(|_| self.make_append()).collect();
        if self.random.one_in(6) && !appends.is_empty() {
            appends.push(appends[0].clone());
        }
        let answer = self.ledger.append_many(appends.clone()).await;
        let before = self.model.events.len();
        let mut modelled = Ok(Vec::new());
        for append in &appends {
            match self.model.append(append) {
                Ok(answer) => modelled.as_mut().expect("stops at an error").push(answer),
                Err(error) => {
                    if self.engine.atomic_many {
                        self.model.events.truncate(before);
                    }
                    modelled = Err(error);
                    break;
                }
            }
        }
        match (answer, modelled) {
            (Ok(answers), Ok(modelled)) => {
                assert_eq!(answers.len(), modelled.len(), "{}", self.replay());
                for ((append, answer), modelled) in appends.iter().zip(answers).zip(modelled) {
                    self.agree(append, &Ok(answer), &Ok(modelled));
                }
            }
            (Err(error), Err(modelled)) => self.agree(&appends[0], &Err(error), &Err(modelled)),
            (answer, modelled) => panic!("{answer:?}, not {modelled:?}; {}", self.replay()),
        }
    }

    fn agree(
        &mut self,
        append: &Append,
        answer: &Result<crate::Appended, AppendError>,
        modelled: &Result<model::Answer, AppendError>,
    ) {
        let replay = self.replay();
        match (answer, modelled) {
            (Ok(answer), Ok(modelled)) => {
                assert_eq!(answer.revision, modelled.revision, "{append:?}; {replay}");
                assert_eq!(answer.repeated, modelled.repeated, "{append:?}; {replay}");
                if let Some(index) = modelled.last {
                    self.model.learn_position(index, answer.position, &replay);
                }
            }
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string(), "{append:?}; {replay}"),
            _ => panic!("{answer:?}, not {modelled:?} for {append:?}; {replay}"),
        }
    }

    async fn read_stream(&mut self) {
        let stream = self.stream();
        let from = if self.random.one_in(4) { u64::MAX } else { self.random.below(12) };
        let limit = self.limit();
        for direction in [Direction::Forwards, Direction::Backwards] {
            let read = self.ledger.read_stream(&stream, from, direction, limit).await;
            let read = read.expect("a stream can be read");
            let all: Vec<_> = self.model.of_stream(&stream).collect();
            let expected: Vec<_> = match direction {
                Direction::Forwards => {
                    all.iter().filter(|event| event.revision >= from).take(limit).collect()
                }
                Direction::Backwards => {
                    all.iter().rev().filter(|event| event.revision <= from).take(limit).collect()
                }
            };
            assert_eq!(read.len(), expected.len(), "{direction:?} {from}; {}", self.replay());
            for (read, expected) in read.iter().zip(expected) {
                expected.check(read, &self.replay());
            }
        }
    }

    async fn read_all(&mut self) {
        self.learn().await;
        let (limit, replay) = (self.limit(), self.replay());
        let length = self.model.events.len();
        let at = self.random.below(length as u64 + 1) as usize;
        let from = if at == 0 { Position::START } else { self.model.position(at - 1) };
        let read = self.ledger.read_all(from, Direction::Forwards, limit).await;
        let read = read.expect("the ledger can be read");
        assert_eq!(read.len(), limit.min(length - at), "forwards after {from}; {replay}");
        for (event, read) in self.model.events[at..].iter().zip(&read) {
            event.check(read, &replay);
        }
        let from = if self.random.one_in(3) { Position::new(u64::MAX) } else { from };
        let end = if from == Position::new(u64::MAX) { length } else { at };
        let read = self.ledger.read_all(from, Direction::Backwards, limit).await;
        let read = read.expect("the ledger can be read");
        assert_eq!(read.len(), limit.min(end), "backwards from {from}; {replay}");
        for (event, read) in self.model.events[..end].iter().rev().zip(&read) {
            event.check(read, &replay);
        }
    }

    async fn position_at(&mut self) {
        self.learn().await;
        let Some(event) = self.model.any(&mut self.random) else { return };
        let nudge = jiff::SignedDuration::from_micros(self.random.below(3) as i64 - 1);
        let time = event.recorded_at.expect("it was learnt") + nudge;
        let mut expected = Position::START;
        for event in &self.model.events {
            if event.recorded_at.is_some_and(|recorded_at| recorded_at > time) {
                break;
            }
            expected = event.position.expect("it was learnt");
        }
        let position = self.ledger.position_at(time).await.expect("times can be looked up");
        assert_eq!(position, expected, "as of {time}; {}", self.replay());
    }

    async fn follow(&mut self) {
        if self.followers.len() < 4 {
            self.learn().await;
            let at = self.random.below(self.model.events.len() as u64 + 1) as usize;
            let after = if at == 0 { Position::START } else { self.model.position(at - 1) };
            self.followers.push((self.ledger.follow(after), at));
        }
        let limit = 1 + self.random.below(20) as usize;
        let replay = self.replay();
        for (follower, at) in &mut self.followers {
            if *at < self.model.events.len() {
                let events = follower.next(limit).await.expect("a follower goes on");
                assert!((1..=limit).contains(&events.len()), "{replay}");
                for event in &events {
                    self.model.events[*at].check(event, &replay);
                    *at += 1;
                }
            }
        }
    }

    /// Followers reach the head, wait there, are dropped while they wait, and wake for an append.
    async fn follow_to_the_end(&mut self) {
        let replay = self.replay();
        self.followers.push((self.ledger.follow(Position::START), 0));
        for (follower, at) in &mut self.followers {
            while *at < self.model.events.len() {
                let events = follower.next(50).await.expect("a follower goes on");
                for event in &events {
                    self.model.events[*at].check(event, &replay);
                    *at += 1;
                }
            }
            assert!(follower.next(1).now_or_never().is_none(), "nothing is there yet; {replay}");
        }
        let event = self.event();
        let append = Append { stream: self.stream(), expected: Expected::Any, events: vec![event] };
        let waiting = self.followers.iter_mut().map(|(follower, _)| follower.next(9));
        let (woken, appended) =
            futures::join!(futures::future::join_all(waiting), self.ledger.append(append.clone()));
        let appended = appended.expect("an append of a new event is taken");
        for events in woken {
            let events = events.expect("a follower goes on");
            assert_eq!(events.len(), 1, "{replay}");
            assert_eq!(events[0].position, appended.position, "{replay}");
            assert_eq!(events[0].id, append.events[0].id, "{replay}");
        }
    }

    async fn compare_everything(&mut self, step: usize) {
        self.learn().await;
        let head = self.ledger.head().await.expect("the head can be read");
        let expected = self.model.events.len().checked_sub(1).map(|last| self.model.position(last));
        assert_eq!(head, expected.unwrap_or_default(), "at step {step}; {}", self.replay());
    }

    /// Reads everything, compares it, and takes over positions and times.
    async fn learn(&mut self) {
        let read = self.ledger.read_all(Position::START, Direction::Forwards, usize::MAX).await;
        let read = read.expect("the ledger can be read");
        self.model.learn(&read, &self.replay());
    }

    fn limit(&mut self) -> usize {
        match self.random.below(5) {
            0 => 0,
            1 => usize::MAX,
            _ => 1 + self.random.below(9) as usize,
        }
    }

    fn replay(&self) -> String {
        format!("replay with seed {}", self.seed)
    }
}

/// What is the same for every engine and needs no generated operations: limits and health.
///
/// # Panics
/// If a limit is not kept, or keeping it changes the ledger.
pub async fn limits(ledger: &dyn Ledger) {
    let mut random = Seeded::new(1);
    let before = ledger.head().await.expect("the head can be read");
    let stream = StreamName::of("customer", random.id());
    let mut event = |size: usize| RawNewEvent {
        id: random.id(),
        event_type: "T".into(),
        data: vec![b'1'; size - 1].into(),
        metadata: bytes::Bytes::new(),
    };
    let append = |events| Append { stream: stream.clone(), expected: Expected::Any, events };
    let answer = ledger.append(append(vec![event(EVENT_LIMIT + 1)])).await;
    assert!(matches!(answer, Err(AppendError::EventTooLarge { .. })), "{answer:?}");
    let events: Vec<_> = (0..5).map(|_| event(EVENT_LIMIT)).collect();
    assert!(events.len() * EVENT_LIMIT > APPEND_LIMIT);
    let answer = ledger.append(append(events)).await;
    assert!(matches!(answer, Err(AppendError::AppendTooLarge { .. })), "{answer:?}");
    assert_eq!(ledger.head().await.expect("the head can be read"), before);
    assert_eq!(ledger.health(), Health::Writable);
    let largest = event(EVENT_LIMIT);
    let answer = ledger.append(append(vec![largest.clone()])).await;
    let answer = answer.expect("an event of the size of the limit is taken");
    let read = ledger.read_stream(&stream, 0, Direction::Forwards, 9).await;
    let read = read.expect("a stream can be read");
    assert_eq!((read.len(), read[0].position), (1, answer.position));
    assert!(read[0].data == largest.data, "the largest event comes back byte for byte");
}
