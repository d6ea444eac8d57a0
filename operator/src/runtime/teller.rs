//! Tells events, the same one again as a series.
//!
//! Rule: an event is joined to an earlier one only when it says the same. Reason: kube's recorder joins what agrees in
//! reason and action, whatever the note says; of two members that were added, `kubectl describe` named the first twice.

use std::collections::HashMap;
use std::sync::Mutex;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};

/// Reasons whose last note is remembered. When there are more, all are forgotten, and what is told again begins anew.
const REMEMBERED_MAX: usize = 4096;

/// The uid of whom an event regards, and its reason.
type About = (Option<String>, String);

pub(crate) struct Teller {
    client: Client,
    reporter: Reporter,
    /// The last note about each, and who told it.
    last: Mutex<HashMap<About, (Option<String>, Recorder)>>,
}

impl Teller {
    pub(crate) fn new(client: Client, reporter: Reporter) -> Teller {
        Teller { client, reporter, last: Mutex::default() }
    }

    /// # Errors
    /// What Kubernetes says.
    pub(crate) async fn tell(&self, event: &Event, regarding: &ObjectReference) -> Result<(), kube::Error> {
        self.recorder(event, regarding).publish(event, regarding).await
    }

    fn recorder(&self, event: &Event, regarding: &ObjectReference) -> Recorder {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = (regarding.uid.clone(), event.reason.clone());
        if let Some((note, recorder)) = last.get(&key)
            && *note == event.note
        {
            return recorder.clone();
        }
        if last.len() >= REMEMBERED_MAX {
            last.clear();
        }
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        last.insert(key, (event.note.clone(), recorder.clone()));
        recorder
    }
}
