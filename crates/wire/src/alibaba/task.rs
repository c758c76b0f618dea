//! Imports as the two lists that tell how far they are have them.

use super::element::{Element, text};
use super::import_id::ImportId;
use super::state::JobState;
use super::time;

/// What imports between instances are called in a list of tasks.
pub const TASK_ACTION: &str = "ImportDatabaseBetweenInstances";

/// An import in a list of imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportResult {
    /// Its id; goes out as a number.
    pub import_id: ImportId,
    /// Its state.
    pub state: JobState,
    /// For people; may be empty.
    pub description: String,
}

impl ImportResult {
    /// The fields in the SDKs' order. All imports here are full ones.
    pub(super) fn element(&self) -> Element {
        Element::Fields(vec![
            ("ImportDataStatus", text(self.state.import_status())),
            ("ImportDataStatusDescription", text(&self.description)),
            ("ImportDataType", text("Full")),
            ("ImportId", Element::Number(self.import_id.number().unsigned_abs())),
            ("IncrementalImportingTime", text("")),
        ])
    }
}

/// An import in a list of tasks, which has room for its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskProgress {
    /// Its id; goes out as text.
    pub task_id: String,
    /// Its kind: [`TASK_ACTION`], or another action.
    pub task_action: String,
    /// Its state.
    pub state: JobState,
    /// Percent; goes out as text.
    pub percent: u8,
    /// For people; may be empty.
    pub progress_info: String,
    /// The step it is at and how many there are; nothing when it has not begun.
    pub step: Option<(u32, u32)>,
    /// What that step is called; may be empty.
    pub step_name: String,
    /// Seconds it may still take; 0 when unknown or over.
    pub remaining_seconds: u64,
    /// Unix seconds; nothing when it has not begun.
    pub begin_time: Option<i64>,
    /// Unix seconds; nothing when it has not ended.
    pub finish_time: Option<i64>,
    /// The databases, with commas between them.
    pub databases: String,
    /// What went wrong, for programs; empty when nothing did.
    pub error_code: String,
    /// What went wrong, for people; empty when nothing did.
    pub error_message: String,
}

impl TaskProgress {
    /// The fields in the SDKs' order.
    pub(super) fn element(&self) -> Element {
        let time =
            |seconds: Option<i64>| text(&seconds.map(time::render_minutes).unwrap_or_default());
        let step = self.step.map(|(at, count)| format!("{at}/{count}")).unwrap_or_default();
        Element::Fields(vec![
            ("BeginTime", time(self.begin_time)),
            ("CurrentStepName", text(&self.step_name)),
            ("DBName", text(&self.databases)),
            ("ExpectedFinishTime", text("")),
            ("FinishTime", time(self.finish_time)),
            ("Progress", Element::Text(self.percent.to_string())),
            ("ProgressInfo", text(&self.progress_info)),
            ("Remain", Element::Number(self.remaining_seconds)),
            ("Status", text(self.state.task_status())),
            ("StepProgressInfo", Element::Text(step)),
            ("StepsInfo", text("")),
            ("TaskAction", text(&self.task_action)),
            ("TaskErrorCode", text(&self.error_code)),
            ("TaskErrorMessage", text(&self.error_message)),
            ("TaskId", text(&self.task_id)),
        ])
    }
}
