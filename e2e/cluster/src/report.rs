//! What was measured, beside what is promised.

use std::fmt;
use std::time::Duration;

/// One promise and how it was kept.
#[derive(Debug, Clone)]
pub struct Figure {
    pub promise: String,
    pub value: Duration,
    pub goal: Duration,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.value <= self.goal { "" } else { "  ABOVE" };
        let (value, goal) = (self.value.as_secs_f64(), self.goal.as_secs_f64());
        write!(f, "{:62} {value:8.2} s   goal {goal:5.1} s{verdict}", self.promise)
    }
}
