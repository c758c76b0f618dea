//! Every error code we answer with, its HTTP status and its words.
//!
//! Codes, statuses and messages are the API document's, also where those are misspelt; where it
//! lists a code twice, the first row counts. Which action answers what for which cause is decided
//! by the callers.

/// The code's word, its HTTP status, its message.
struct Row(&'static str, u16, &'static str);

macro_rules! codes {
    ($($variant:ident, $word:literal, $status:literal, $message:literal;)*) => {
        /// What clients branch on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $message] $variant,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row($word, $status, $message),)*
                }
            }
        }
    };
}

codes! {
    // Of the gateway, for every product.
    AccessKeyNotFound, "InvalidAccessKeyId.NotFound", 404, "Specified access key is not found.";
    AccessKeyInactive, "InvalidAccessKeyId.Inactive", 400, "Specified access key is disabled.";
    SignatureDoesNotMatch, "SignatureDoesNotMatch", 400,
        "Specified signature is not matched with our calculation. server string to sign is:";
    IncompleteSignature, "IncompleteSignature", 400,
        "The request signature does not conform to Aliyun standards.";
    TimestampFormat, "InvalidTimeStamp.Format", 400,
        "Specified time stamp or date value is not well formatted.";
    TimestampExpired, "InvalidTimeStamp.Expired", 400,
        "Specified time stamp or date value is expired.";
    NonceUsed, "SignatureNonceUsed", 400, "Specified signature nonce was used already.";
    InvalidSignatureMethod, "InvalidSignatureMethod", 400,
        "Specified signature method is not valid.";
    Missing, "Missing{}", 400, "{} is mandatory for this action.";
    InvalidParameter, "InvalidParameter", 400, "The specified parameter \"{}\" is not valid.";
    InvalidParameterFormat, "InvalidParameter.Format", 400,
        "Specified parameter format is not valid.";
    ActionNotFound, "InvalidAction.NotFound", 404,
        "Specified api is not found, please check your url and method.";
    InvalidVersion, "InvalidVersion", 400, "Specified parameter Version is not valid.";
    UnsupportedOperation, "UnsupportedOperation", 400, "The specified action is not supported.";
    UnsupportedHttpMethod, "UnsupportedHTTPMethod", 403, "This http method not supported.";
    Throttling, "Throttling", 400, "Request was denied due to request throttling.";
    ThrottlingUser, "Throttling.User", 400, "Request was denied due to user flow control.";
    ThrottlingApi, "Throttling.Api", 400, "Request was denied due to api flow control.";
    ForbiddenRam, "Forbidden.RAM", 403,
        "The user is not authorized to operate the specified resource, or this operation does not \
         support RAM.";
    InternalError, "InternalError", 500,
        "The request processing has failed due to some unknown error, exception or failure.";
    ServiceUnavailable, "ServiceUnavailable", 503,
        "The request has failed due to a temporary failure of the server.";
    // Of the product.
    InstanceNotFound, "InvalidDBInstanceId.NotFound", 404,
        "The specified DBInstanceId does not exist.";
    ForbiddenInstanceNotFound, "Forbidden.InstanceNotFound", 404,
        "The specified DB instance does not exist.";
    InstanceNameNotFound, "InvalidDBInstanceName.NotFound", 403,
        "The DBInstanceId provided does not exist in our records.";
    DbInstanceNotFound, "InvalidDBInstance.NotFound", 404,
        "The specified instance is not found.";
    DbInfoMalformed, "InvalidDBInfo.Malformed", 400,
        "The specified parameter “DBInfo” is not valid or db not exist.";
    SameInstance, "OperationDenied.DBInstanceId", 403,
        "The operation is not permitted due to DBInstanceId and SourceDBInstanceId is same.";
    DifferentEngine, "OperationDenied.Engine", 403,
        "The operation is not permitted due to different engine.";
    DifferentRegion, "OperationDenied.Region", 403,
        "The operation is not permitted due to different region.";
    InstanceStatus, "OperationDenied.DBInstanceStatus", 403,
        "The operation is not permitted due to instance status.";
    DatabaseStatus, "OperationDenied.DBStatus", 403,
        "The status of the database does not support this operation.";
    InstanceLocked, "OperationDenied.LockMode", 403,
        "The operation is not permitted due to lock of instance.";
    InstanceEngine, "OperationDenied.DBInstanceEngine", 403,
        "The operation is not permitted due to engine of instance.";
    InstanceType, "OperationDenied.DBInstanceType", 400,
        "The operation is not permitted due to type of instance.";
    StorageQuota, "QuotaExceeded.DBInstanceStorage", 403,
        "The quota of instance storage exceeds.";
    DatabaseNotFound, "InvalidDBName.NotFound", 404, "The specified database does not exist.";
    ImportNotFound, "InvalidTaskId.NotFound", 400,
        "The ImportId provided does not exist in our records.";
    ImportStatus, "OperationDenied.IncorrectTaskStatus", 403,
        "The operation is not permitted due to status of import.";
    TimeRange, "InvalidStartTimeAndEndTime.Malformed", 400,
        "The EndTime must be later than or equal to the StartTime.";
    IncorrectInstanceState, "IncorrectDBInstanceState", 403,
        "Current DB instance state does not support this operation.";
    IncorrectInstanceType, "IncorrectDBInstanceType", 400,
        "CurrentDB instance type does not support this operation.";
    IncorrectLockMode, "IncorrectDBInstanceLockMode", 400,
        "CurrentDB instance lock mode does not support this operation.";
    DatabaseDuplicate, "InvalidDBName.Duplicate", 400,
        "The specified DB name is invalid or already exists.";
    DatabaseNotThere, "InvalidDBName", 400,
        "The instance does not have the specified DB name.";
    DatabaseKeyword, "InvalidParameter.Keyword", 400,
        "The specified DBName is a reserved keyword.";
    DatabaseQuota, "QuotaExceeded.DBName", 400, "The quota of db exceeds.";
    DatabaseLimit, "DBLimitExceeded", 403,
        "DBQuotaExceeded: Exceeding the allowed amount of DB.";
    StorageLimit, "StorageLimitExceeded", 403, "Exceeding the allowed Storage of DB instance.";
    LockTimeout, "LockTimeout", 400, "The request processing has failed due to lock timeout.";
}

impl Code {
    /// As clients compare it; `{}` stands for the parameter that [`Code::Missing`] names. An answer
    /// has [`super::error::Error::word`], which puts it in.
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status it goes with.
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The general message; `{}` stands for the parameter that [`super::error::Error`] puts in.
    pub fn message(self) -> &'static str {
        self.row().2
    }

    /// Whether clients send a refused request again, for minutes: the Terraform provider's list of
    /// codes for instances.
    ///
    /// A permanent failure must not use such a code: the user would wait for nothing.
    pub fn is_retried_by_terraform(self) -> bool {
        matches!(
            self,
            Self::InstanceStatus
                | Self::DatabaseStatus
                | Self::IncorrectInstanceState
                | Self::InternalError
        )
    }
}

#[test]
fn words_are_distinct_and_statuses_are_errors() {
    let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Code::ALL.len());
    for code in Code::ALL {
        let Row(word, status, message) = code.row();
        assert!([400, 403, 404, 500, 503].contains(&status), "{word}");
        assert!(message.ends_with(['.', ':']), "{word}");
        assert_eq!(word.contains("{}"), *code == Code::Missing, "{word}");
    }
}

#[test]
fn clients_retry_what_passes() {
    let retried: Vec<&str> =
        Code::ALL.iter().filter(|c| c.is_retried_by_terraform()).map(|c| c.word()).collect();
    let expected = [
        "InternalError",
        "OperationDenied.DBInstanceStatus",
        "OperationDenied.DBStatus",
        "IncorrectDBInstanceState",
    ];
    assert_eq!(retried, expected);
}
