//! A value that several callers share, and that is made anew when it is of no use any more.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Made when it is needed, by one caller while the others wait; kept until somebody gives it up.
pub(super) struct Renewed<T>(Mutex<Arc<OnceCell<T>>>);

/// The value as it was when it was asked for.
pub(super) struct Held<T> {
    value: T,
    cell: Arc<OnceCell<T>>,
}

impl<T: Clone> Renewed<T> {
    pub(super) async fn current<E, F>(&self, make: impl FnOnce() -> F) -> Result<Held<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let cell = self.cell();
        // Connecting takes a large future, and is rare.
        let value = Box::pin(cell.get_or_try_init(make)).await?.clone();
        Ok(Held { value, cell })
    }

    /// The value, where it has been made.
    pub(super) fn known(&self) -> Option<Held<T>> {
        let cell = self.cell();
        let value = cell.get()?.clone();
        Some(Held { value, cell })
    }

    /// Made anew, whatever is known; others go on with that until then, and where it fails.
    pub(super) async fn anew<E, F>(&self, make: impl FnOnce() -> F) -> Result<Held<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let Some(known) = self.known() else { return self.current(make).await };
        let value = Box::pin(make()).await?;
        Ok(self.replace(&known, value))
    }

    /// Takes a value that was made elsewhere, unless this one was given up meanwhile.
    pub(super) fn replace(&self, held: &Held<T>, value: T) -> Held<T> {
        let cell = Arc::new(OnceCell::new_with(Some(value.clone())));
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, &held.cell) {
            *current = Arc::clone(&cell);
        }
        Held { value, cell }
    }

    fn cell(&self) -> Arc<OnceCell<T>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next caller makes a new one, unless that has happened already.
    pub(super) fn give_up(&self, held: &Held<T>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, &held.cell) {
            *current = Arc::default();
        }
    }

    /// The same for whatever it is now, if this holds of it.
    pub(super) fn give_up_if(&self, is_useless: impl FnOnce(&T) -> bool) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if current.get().is_some_and(is_useless) {
            *current = Arc::default();
        }
    }
}

impl<T> Default for Renewed<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
