//! The states of imports, instances and databases, in the words of each action that tells them.
//!
//! The only place where they are written. When a job changes its state is the job table's matter.

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

    /// `ImportDataStatus` of a list of imports. `FullExporting` and the words for incremental
    /// imports do not occur here: rows go straight from one server into the other, once.
    pub fn import_status(self) -> &'static str {
        match self {
            Self::Queued => "NotStart",
            Self::Running => "FullImporting",
            Self::Cancelling => "Canceling",
            Self::Succeeded => "Success",
            Self::Failed => "Failed",
            Self::Cancelled => "Canceled",
        }
    }

    /// `Status` of a list of tasks, which the document leaves open: the words of
    /// `DescribeHistoryTasks`, with both its spellings.
    pub fn task_status(self) -> &'static str {
        match self {
            Self::Queued => "Scheduled",
            Self::Running => "Running",
            Self::Cancelling => "Cancelling",
            Self::Succeeded => "Succeed",
            Self::Failed => "Failed",
            Self::Cancelled => "Canceled",
        }
    }
}

/// Where an instance is, and what it is doing; the API has one field for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceStatus {
    /// Not ready yet.
    Creating,
    /// Ready, and nothing of the following.
    Running,
    /// Going away.
    Deleting,
    /// Its server does not answer.
    Maintaining,
    /// A file is being imported.
    Importing,
    /// Databases of another instance are being imported. Clients wait for this one to end.
    ImportingFromOthers,
    /// Its databases are being imported by another instance.
    TransingToOthers,
}

impl InstanceStatus {
    /// As the API has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Running => "Running",
            Self::Deleting => "Deleting",
            Self::Maintaining => "INS_MAINTAINING",
            Self::Importing => "Importing",
            Self::ImportingFromOthers => "ImportingFromOthers",
            Self::TransingToOthers => "TransingToOthers",
        }
    }
}

/// Whether an instance may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockMode {
    /// It may.
    Unlock,
    /// Somebody locked it.
    ManualLock,
    /// It is full.
    LockByDiskQuota,
}

impl LockMode {
    /// As the API has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unlock => "Unlock",
            Self::ManualLock => "ManualLock",
            Self::LockByDiskQuota => "LockByDiskQuota",
        }
    }
}

/// Where a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseStatus {
    /// Not ready yet.
    Creating,
    /// Ready.
    Running,
    /// Going away.
    Deleting,
}

impl DatabaseStatus {
    /// As the API has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Running => "Running",
            Self::Deleting => "Deleting",
        }
    }
}

#[test]
fn every_state_has_its_words() {
    let words = JobState::ALL.map(|state| (state.import_status(), state.task_status()));
    let expected = [
        ("NotStart", "Scheduled"),
        ("FullImporting", "Running"),
        ("Canceling", "Cancelling"),
        ("Success", "Succeed"),
        ("Failed", "Failed"),
        ("Canceled", "Canceled"),
    ];
    assert_eq!(words, expected);
}
