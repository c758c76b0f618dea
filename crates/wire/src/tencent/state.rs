//! The states of a job, in the words and numbers of each action that tells them.
//!
//! The only place where they are written. When a job changes its state is the job table's matter.

/// The type of an import in `DescribeTasks`.
pub const TASK_TYPE: &str = "IMPORT DATA";
/// The same as a filter's number.
pub const TASK_TYPE_NUMBER: i64 = 3;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Made, and not begun.
    Queued,
    /// At work.
    Running,
    /// Told to stop, and still at work.
    Cancelling,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Stopped.
    Cancelled,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// `Status` of `DescribeAsyncRequestInfo`.
    ///
    /// Pollers wait while it is `INITIAL` or `RUNNING` and take every other word for the end, so a
    /// job that is stopping stays `RUNNING` until it is `KILLED`. The API's own word for it,
    /// `PAUSED`, makes Terraform fail before the job has ended.
    pub fn async_status(self) -> &'static str {
        match self {
            Self::Queued => "INITIAL",
            Self::Running | Self::Cancelling => "RUNNING",
            Self::Succeeded => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Cancelled => "KILLED",
        }
    }

    /// `TaskStatus` of `DescribeTasks`, which has another word for success.
    pub fn task_status(self) -> &'static str {
        match self {
            Self::Queued => "INITIAL",
            Self::Running | Self::Cancelling => "RUNNING",
            Self::Succeeded => "SUCCEED",
            Self::Failed => "FAILED",
            Self::Cancelled => "KILLED",
        }
    }

    /// The number that stands for [`Self::task_status`] in a request's filter.
    pub fn task_status_number(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Running | Self::Cancelling => 1,
            Self::Succeeded => 2,
            Self::Failed => 3,
            Self::Cancelled => 4,
        }
    }

    /// `Status` of an import record. It has no number for a stopped import: that has not done what
    /// it was made for, and counts as failed.
    pub fn record_status(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Running | Self::Cancelling => 1,
            Self::Succeeded => 2,
            Self::Failed | Self::Cancelled => 3,
        }
    }

    /// `Code` of an import record and of a task: "negative when the task is abnormal", 0 else.
    pub fn code(self) -> i64 {
        match self {
            Self::Queued | Self::Running | Self::Cancelling | Self::Succeeded => 0,
            Self::Failed | Self::Cancelled => -1,
        }
    }
}

/// Where an instance is, by the number of `InstanceInfo.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceStatus {
    /// Not ready yet.
    Creating = 0,
    /// Ready.
    Running = 1,
    /// About to be taken away.
    Isolating = 4,
    /// Taken away.
    Isolated = 5,
}

impl InstanceStatus {
    /// As the API has it.
    pub fn number(self) -> i64 {
        self as i64
    }
}

/// What an instance is doing, by the number of `InstanceInfo.TaskStatus`; the others do not occur
/// here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceTask {
    /// Nothing.
    None = 0,
    /// Importing.
    Importing = 2,
}

impl InstanceTask {
    /// As the API has it.
    pub fn number(self) -> i64 {
        self as i64
    }
}

#[test]
fn every_state_has_its_words() {
    let words = JobState::ALL.map(|s| (s.async_status(), s.task_status(), s.task_status_number()));
    let expected = [
        ("INITIAL", "INITIAL", 0),
        ("RUNNING", "RUNNING", 1),
        ("RUNNING", "RUNNING", 1),
        ("SUCCESS", "SUCCEED", 2),
        ("FAILED", "FAILED", 3),
        ("KILLED", "KILLED", 4),
    ];
    assert_eq!(words, expected);
    assert_eq!(JobState::ALL.map(JobState::record_status), [0, 1, 1, 2, 3, 3]);
    assert_eq!(JobState::ALL.map(JobState::code), [0, 0, 0, 0, -1, -1]);
}
