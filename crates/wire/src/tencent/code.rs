//! Every error code we answer with, and its words.
//!
//! Codes are the API document's: the common ones and those its page of each action lists. Messages
//! are the cloud's own where they are known from what users have quoted, otherwise the document's
//! description. Which action answers what for which cause is decided by the callers.

use super::language::Language;

/// The code's word, its English message, its Chinese message.
struct Row(&'static str, &'static str, &'static str);

macro_rules! codes {
    ($($variant:ident, $word:literal, $english:literal, $chinese:literal;)*) => {
        /// What clients branch on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $english] $variant,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row($word, $english, $chinese),)*
                }
            }
        }
    };
}

codes! {
    AuthFailure, "AuthFailure", "A CAM signature or authentication error occurred.",
        "CAM签名/鉴权错误。";
    InvalidAuthorization, "AuthFailure.InvalidAuthorization",
        "The `Authorization` header of the request does not meet the Tencent Cloud standard.",
        "请求头部的 Authorization 不符合腾讯云标准。";
    SecretIdNotFound, "AuthFailure.SecretIdNotFound",
        "The SecretId is not found, please ensure that your SecretId is correct.",
        "SecretId不存在，请输入正确的密钥。";
    SignatureExpire, "AuthFailure.SignatureExpire",
        "The signature has expired. `Timestamp` and the server time differ by more than five \
         minutes, please check that your clock is synchronised.",
        "签名过期。Timestamp 和服务器时间相差不得超过五分钟，请检查本地时间是否和标准时间同步。";
    SignatureFailure, "AuthFailure.SignatureFailure",
        "The provided credentials could not be validated. Please check your signature is correct.",
        "请求签名验证失败，请检查您的签名计算是否正确。";
    TokenFailure, "AuthFailure.TokenFailure", "The token is not valid.", "token 错误。";
    UnauthorizedOperation, "AuthFailure.UnauthorizedOperation",
        "The request is not authorized.", "请求未授权。";
    CdbError, "CdbError", "A backend or process error occurred.", "后端错误或者流程错误。";
    CdbImportError, "CdbError.ImportError", "An import task error occurred.", "导入任务错误。";
    CdbTaskError, "CdbError.TaskError", "A backend task error occurred.", "后端任务错误。";
    StatusConflict, "FailedOperation.StatusConflict",
        "The status of the task conflicts with the operation.", "任务状态冲突。";
    InternalError, "InternalError", "An internal error occurred.", "内部错误。";
    InternalCdbError, "InternalError.CdbError", "A system error occurred.", "系统错误。";
    CosError, "InternalError.CosError", "The file information could not be obtained.",
        "获取文件信息失败。";
    DatabaseAccessError, "InternalError.DatabaseAccessError",
        "An internal database error occurred.", "数据库内部错误。";
    ExeSqlError, "InternalError.ExeSqlError", "An SQL error occurred.", "sql错误。";
    ExecuteSqlError, "InternalError.ExecuteSQLError", "The SQL statement failed.", "sql执行失败。";
    InternalImportError, "InternalError.ImportError", "The import failed.", "导入失败。";
    NetworkError, "InternalError.NetworkError", "A network error occurred.", "网络错误。";
    TaskFrameError, "InternalError.TaskFrameError", "An asynchronous task error occurred.",
        "异步任务错误。";
    UnknownError, "InternalError.UnknownError", "An unknown error occurred.", "未知错误。";
    InvalidAction, "InvalidAction", "The API does not exist.", "接口不存在。";
    InvalidParameter, "InvalidParameter", "The parameter is invalid.", "参数错误。";
    ExceptionParam, "InvalidParameter.ExceptionParam", "The parameter is abnormal.", "异常参数。";
    InstanceNotFound, "InvalidParameter.InstanceNotFound", "The instance does not exist.",
        "实例不存在。";
    InvalidAsyncRequestId, "InvalidParameter.InvalidAsyncRequestId",
        "The asynchronous task does not exist.", "异步任务不存在。";
    InvalidParameterValue, "InvalidParameterValue", "The parameter value is invalid.",
        "参数取值错误。";
    InvalidParameterValueError, "InvalidParameterValue.InvalidParameterValueError",
        "The parameter value is invalid.", "参数值无效。";
    InvalidRequest, "InvalidRequest", "The multipart format of the request body is invalid.",
        "请求 body 的 multipart 格式错误。";
    MissingParameter, "MissingParameter", "The request is missing a required parameter.",
        "缺少参数。";
    NoSuchVersion, "NoSuchVersion", "The API version does not exist.", "接口版本不存在。";
    OperationDenied, "OperationDenied", "The operation was denied.", "操作被拒绝。";
    ActionNotSupport, "OperationDenied.ActionNotSupport", "The operation is not supported.",
        "不支持的操作。";
    InstanceStatusError, "OperationDenied.InstanceStatusError",
        "The status of the instance is abnormal.", "实例状态异常。";
    UserHasNoStrategy, "OperationDenied.UserHasNoStrategy",
        "The user does not have permission for this operation.", "用户没有该策略权限。";
    WrongPassword, "OperationDenied.WrongPassword",
        "The password is wrong or could not be verified.", "密码错误或校验未通过。";
    WrongStatus, "OperationDenied.WrongStatus", "The status of the backend task is illegal.",
        "后端任务状态非法。";
    RequestLimitExceeded, "RequestLimitExceeded",
        "The number of requests exceeds the frequency limit.", "请求的次数超过了频率限制。";
    RequestSizeLimitExceeded, "RequestSizeLimitExceeded",
        "The size of the request exceeds the limit.", "请求包超过限制大小。";
    ResponseSizeLimitExceeded, "ResponseSizeLimitExceeded",
        "The size of the response exceeds the limit.", "返回包超过限制大小。";
    ServiceUnavailable, "ServiceUnavailable", "The service is unavailable now.",
        "当前服务暂时不可用。";
    UnknownParameter, "UnknownParameter",
        "An undefined parameter was passed.", "未知参数错误，用户多传未定义的参数会导致错误。";
    UnsupportedOperation, "UnsupportedOperation", "The operation is not supported.",
        "操作不支持。";
    UnsupportedProtocol, "UnsupportedProtocol",
        "The protocol is not supported: only GET and POST requests are.",
        "http(s) 请求协议错误，只支持 GET 和 POST 请求。";
    UnsupportedRegion, "UnsupportedRegion", "The API does not support the region.",
        "接口不支持所传地域。";
}

/// What Terraform's provider tries again, for minutes, by the word before the first dot.
///
/// Source: `retryableErrorCode` of terraform-provider-tencentcloud; its older releases also have
/// `FailedOperation`, `ResourceInsufficient` and, the oldest, `InternalError`.
const RETRIED: [&str; 4] =
    ["RequestLimitExceeded", "ResourceInUse", "ResourceUnavailable", "ResourceBusy"];
const RETRIED_BY_OLDER: [&str; 3] = ["FailedOperation", "InternalError", "ResourceInsufficient"];

impl Code {
    /// As clients compare it.
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// The general message; what a parameter has to do with it, [`super::error::Error`] adds.
    pub fn message(self, language: Language) -> &'static str {
        match language {
            Language::English => self.row().1,
            Language::Chinese => self.row().2,
        }
    }

    /// Whether Terraform sends a refused `CreateDBImportJob` again, for five minutes.
    ///
    /// A permanent failure must not use such a code: the user would wait for nothing, and a job
    /// that was made nevertheless would be made twice.
    pub fn is_retried_by_terraform(self) -> bool {
        RETRIED.contains(&self.head())
    }

    /// The same for releases of a few years ago. A permanent failure does better without these
    /// codes where the action's document lists another.
    pub fn is_retried_by_older_terraform(self) -> bool {
        self.is_retried_by_terraform() || RETRIED_BY_OLDER.contains(&self.head())
    }

    fn head(self) -> &'static str {
        self.word().split('.').next().unwrap_or_default()
    }
}

#[test]
fn words_are_distinct_and_have_words_in_both_languages() {
    let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Code::ALL.len());
    for code in Code::ALL {
        let Row(word, english, chinese) = code.row();
        assert!(english.is_ascii() && english.ends_with('.'), "{word}");
        assert!(!chinese.is_ascii() && chinese.ends_with('。'), "{word}");
    }
}

#[test]
fn terraform_retries_only_what_passes() {
    let retried: Vec<&str> =
        Code::ALL.iter().filter(|c| c.is_retried_by_terraform()).map(|c| c.word()).collect();
    assert_eq!(retried, ["RequestLimitExceeded"]);
    assert!(Code::StatusConflict.is_retried_by_older_terraform());
    assert!(!Code::CdbImportError.is_retried_by_older_terraform());
    assert!(!Code::WrongStatus.is_retried_by_older_terraform());
}
