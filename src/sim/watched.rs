//! A value that others wait for. Not tokio's `watch`: it wakes those who wait in an order drawn by chance.
use parking_lot::Mutex;
use tokio::sync::Notify;

pub struct Watched<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Clone> Watched<T> {
    pub fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    pub fn get(&self) -> T {
        self.value.lock().clone()
    }

    pub fn set(&self, value: T) {
        *self.value.lock() = value;
        self.changed.notify_waiters();
    }

    /// The first value that fits.
    pub async fn wait_for(&self, fits: impl Fn(&T) -> bool) -> T {
        loop {
            let changed = self.changed.notified();
            let value = self.get();
            if fits(&value) {
                return value;
            }
            changed.await;
        }
    }
}
