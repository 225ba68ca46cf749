//! A value that many callers share, and that is made again when it no longer holds.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Made on first use, by one caller while the others wait. Kept until a caller gives it up.
pub(super) struct Renewable<T>(Mutex<Arc<OnceCell<T>>>);

/// The value as one caller got it. Giving up a snapshot does nothing once another caller has replaced the value.
pub(super) struct Snapshot<T> {
    value: T,
    cell: Arc<OnceCell<T>>,
}

impl<T: Clone> Renewable<T> {
    /// The value, if it is made.
    pub(super) fn known(&self) -> Option<Snapshot<T>> {
        let cell = self.cell();
        let value = cell.get()?.clone();
        Some(Snapshot { value, cell })
    }

    /// The value, made now if necessary.
    pub(super) async fn get_or_make<E, F>(&self, make: impl FnOnce() -> F) -> Result<Snapshot<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let cell = self.cell();
        // The future that connects is large, and rarely needed.
        let value = Box::pin(cell.get_or_try_init(make)).await?.clone();
        Ok(Snapshot { value, cell })
    }

    /// Makes the value again, even if it is known. The other callers keep the known value until then, and if `make` fails.
    pub(super) async fn make_again<E, F>(&self, make: impl FnOnce() -> F) -> Result<Snapshot<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let Some(known) = self.known() else { return self.get_or_make(make).await };
        let value = Box::pin(make()).await?;
        Ok(self.replace(&known, value))
    }

    /// Replaces the value, unless this snapshot of it was given up or replaced meanwhile.
    pub(super) fn replace(&self, known: &Snapshot<T>, value: T) -> Snapshot<T> {
        let cell = Arc::new(OnceCell::new_with(Some(value.clone())));
        self.swap_if(|current| Arc::ptr_eq(current, &known.cell), &cell);
        Snapshot { value, cell }
    }

    /// The next caller makes a new value, unless this snapshot was given up or replaced meanwhile.
    pub(super) fn give_up(&self, known: &Snapshot<T>) {
        self.swap_if(|current| Arc::ptr_eq(current, &known.cell), &Arc::default());
    }

    /// The next caller makes a new value if the current value is useless.
    pub(super) fn give_up_if(&self, is_useless: impl FnOnce(&T) -> bool) {
        self.swap_if(|current| current.get().is_some_and(is_useless), &Arc::default());
    }

    fn cell(&self) -> Arc<OnceCell<T>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn swap_if(&self, condition: impl FnOnce(&Arc<OnceCell<T>>) -> bool, cell: &Arc<OnceCell<T>>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if condition(&current) {
            current.clone_from(cell);
        }
    }
}

impl<T> Default for Renewable<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
