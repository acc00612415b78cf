//! Long answers in bounded pieces: a future that rests between them, so that the engine reads commands there.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use crate::protocol::Event;

/// What a long answer rests with, and tells how far it is.
#[derive(Clone, Default)]
pub struct Rest {
    is_resting: Rc<Cell<bool>>,
    is_stopped: Rc<Cell<bool>>,
    told: Rc<RefCell<Vec<Event>>>,
}

impl Rest {
    /// The end of a piece; goes on when the next one is asked for.
    pub async fn between_pieces(&self) {
        let mut has_rested = false;
        poll_fn(|_| {
            if has_rested {
                return Poll::Ready(());
            }
            has_rested = true;
            // Nobody is to wake this: `Pieces::advance` comes back by itself.
            self.is_resting.set(true);
            Poll::Pending
        })
        .await;
    }

    /// Whether the user wants no more of it: then what there is becomes the answer.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.get()
    }

    /// Tells the app something at the end of the piece.
    pub fn tell(&self, event: Event) {
        self.told.borrow_mut().push(event);
    }
}

/// A long answer under way.
pub struct Pieces<T> {
    work: Pin<Box<dyn Future<Output = T>>>,
    rest: Rest,
}

impl<T> Pieces<T> {
    /// Work that rests between its pieces. Nothing is done yet.
    pub fn new<F: Future<Output = T> + 'static>(work: impl FnOnce(Rest) -> F) -> Self {
        let rest = Rest::default();
        Self { work: Box::pin(work(rest.clone())), rest }
    }

    /// Does one piece; what came of it all after the last one.
    pub async fn advance(&mut self) -> Option<T> {
        poll_fn(|context| match self.work.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if self.rest.is_resting.take() => Poll::Ready(None),
            // It waits for the device or a file.
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Asks the work to end with what it has.
    pub fn stop(&self) {
        self.rest.is_stopped.set(true);
    }

    /// What was to be told since the last call.
    pub fn told(&self) -> Vec<Event> {
        self.rest.told.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_ends_at_its_rest() {
        let done = Rc::new(Cell::new(0));
        let counter = done.clone();
        let mut pieces = Pieces::new(|rest| async move {
            for i in 1..=2 {
                counter.set(i);
                rest.tell(Event::Resumed { run: i });
                rest.between_pieces().await;
            }
            "all"
        });
        assert_eq!(done.get(), 0);
        for i in 1..=2 {
            assert_eq!(pollster::block_on(pieces.advance()), None);
            assert_eq!((done.get(), pieces.told()), (i, vec![Event::Resumed { run: i }]));
        }
        assert_eq!(pollster::block_on(pieces.advance()), Some("all"));
        assert!(pieces.told().is_empty());
    }
}
