//! A value that comes later, which a future awaits. It takes no part in what makes the value.
//!
//! Whoever brings the value wakes the future without holding a lock: a waker is the program's, and may drop the last handle
//! of the future itself.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A value that comes once. One future awaits it at a time.
pub(crate) struct Promise<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    found: Option<T>,
    is_kept: bool,
    waker: Option<Waker>,
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("is_kept", &self.is_kept()).finish_non_exhaustive()
    }
}

impl<T> Promise<T> {
    pub(crate) fn new() -> Arc<Promise<T>> {
        Arc::new(Promise { state: Mutex::new(State { found: None, is_kept: false, waker: None }) })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the value, unless there was one.
    pub(crate) fn keep(&self, found: T) {
        let mut state = self.state();
        if state.is_kept {
            return;
        }
        (state.found, state.is_kept) = (Some(found), true);
        let waker = state.waker.take();
        drop(state);
        // A waker that panics harms only the program's own executor.
        let _ = catch_unwind(AssertUnwindSafe(|| waker.map(Waker::wake)));
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.state().is_kept
    }

    /// Awaits the value and takes it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn taken(&self) -> T {
        self.awaited(Option::take).await
    }

    /// Awaits the value, which others may await again.
    pub(crate) async fn ended(&self) -> T
    where
        T: Clone,
    {
        self.awaited(|found| found.clone()).await
    }

    async fn awaited(&self, take: impl Fn(&mut Option<T>) -> Option<T>) -> T {
        poll_fn(|cx| {
            let own = cx.waker().clone();
            let mut state = self.state();
            if let Some(found) = take(&mut state.found) {
                return Poll::Ready(found);
            }
            let before = state.waker.replace(own);
            drop(state);
            drop(before);
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Wake};

    /// A task as small executors have it: it holds its future, and its waker holds the task.
    struct Task {
        future: Mutex<Option<Pin<Box<dyn Future<Output = i32> + Send>>>>,
    }

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            // The executor is gone, so this drops the future.
            drop(self);
        }
    }

    #[test]
    fn waking_may_drop_the_future() {
        let promise = Promise::new();
        let other = Arc::clone(&promise);
        let task = Arc::new(Task { future: Mutex::new(Some(Box::pin(async move { other.taken().await }))) });
        let waker = Waker::from(Arc::clone(&task));
        let mut future = task.future.lock().unwrap().take().expect("it is there");
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        *task.future.lock().unwrap() = Some(future);
        drop(task);
        drop(waker);
        // The promise holds the only waker, which holds the task, which holds the future.
        promise.keep(1);
        assert_eq!(Arc::strong_count(&promise), 1, "the future is gone");
    }

    #[test]
    fn a_waker_that_panics_harms_nobody() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("a program's waker");
            }
        }
        let promise = Promise::new();
        {
            let mut future = std::pin::pin!(promise.ended());
            let waker = Waker::from(Arc::new(Panics));
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            promise.keep(2);
        }
        promise.keep(3);
        assert_eq!([0; 2].map(|_| pollster::block_on(promise.ended())), [2; 2], "the first stays");
    }
}
