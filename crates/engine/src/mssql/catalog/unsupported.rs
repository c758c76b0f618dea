//! The questions for what is never carried: each answers names.
//!
//! Promises: a thing of these kinds in the database is a finding, with its name. What tables, columns
//! and modules themselves say of it (memory-optimised, encrypted, …) is found where those are read.

use super::finding::{Finding, Weight};
use super::question::{Answers, Asked, Question, text};
use crate::error::Result;

/// A kind of thing that is never carried.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// How it is asked for.
    pub question: Question,
    weight: Weight,
    what: &'static str,
    why: &'static str,
}

const OBJECT: &[Asked] = &[text("object", "x.name")];
const IN_SCHEMA: &[Asked] = &[text("object", "s.name + N'.' + x.name")];
const OF_OBJECT: &[Asked] = &[text("object", "s.name + N'.' + o.name + N'.' + x.name")];
const OF_TABLE: &[Asked] = &[text("object", "s.name + N'.' + o.name")];
// Words of the catalog have a collation of their own, which does not go together with names.
const PERMISSION: &[Asked] = &[text(
    "object",
    "x.permission_name COLLATE DATABASE_DEFAULT + N' on ' + LOWER(x.class_desc) COLLATE \
     DATABASE_DEFAULT + COALESCE(N' ' + s.name + N'.' + o.name, N' ' + sc.name, N'') + N' for ' + \
     p.name",
)];
const MEMBER: &[Asked] = &[text("object", "m.name + N' in ' + r.name")];

const fn stops(question: Question, what: &'static str, why: &'static str) -> Kind {
    Kind { question, weight: Weight::Stops, what, why }
}

const fn told(question: Question, what: &'static str, why: &'static str) -> Kind {
    Kind { question, weight: Weight::Told, what, why }
}

const fn ask(
    name: &'static str,
    columns: &'static [Asked],
    views: &'static [&'static str],
    from: &'static str,
) -> Question {
    Question { name, columns, from, views }
}

/// All such kinds.
pub const ALL: [Kind; 41] = [
    stops(
        ask(
            "users",
            OBJECT,
            &["database_principals"],
            "FROM sys.database_principals AS x\nWHERE x.is_fixed_role = 0 AND x.name NOT IN (N'dbo', \
             N'guest', N'sys', N'INFORMATION_SCHEMA', N'public')\nORDER BY x.name",
        ),
        "user or role",
        "is not made; accounts belong to the server",
    ),
    stops(
        ask(
            "members",
            MEMBER,
            &["database_role_members"],
            "FROM sys.database_role_members AS x JOIN sys.database_principals AS m ON m.principal_id \
             = x.member_principal_id\nJOIN sys.database_principals AS r ON r.principal_id = \
             x.role_principal_id\nWHERE m.name <> N'dbo'\nORDER BY m.name, r.name",
        ),
        "membership",
        "is not given",
    ),
    stops(
        ask(
            "permissions",
            PERMISSION,
            &["database_permissions"],
            "FROM sys.database_permissions AS x JOIN sys.database_principals AS p ON p.principal_id \
             = x.grantee_principal_id\nLEFT JOIN sys.objects AS o ON x.class = 1 AND o.object_id = \
             x.major_id LEFT JOIN sys.schemas AS s ON s.schema_id = o.schema_id\nLEFT \
             JOIN sys.schemas AS sc ON x.class = 3 AND sc.schema_id \
             = x.major_id\nWHERE x.major_id >= 0 AND NOT (x.class = 0 AND x.type = 'CO') AND p.name \
             <> N'dbo' AND (x.class <> 1 OR o.object_id IS NOT NULL)\nORDER BY x.class, x.major_id, \
             x.minor_id, p.name, x.permission_name",
        ),
        "permission",
        "is not given",
    ),
    stops(
        ask(
            "assemblies",
            OBJECT,
            &["assemblies"],
            "FROM sys.assemblies AS x WHERE CAST(x.is_user_defined AS int) = 1 ORDER BY x.name",
        ),
        "CLR assembly",
        "is not made, nor what it implements",
    ),
    stops(
        ask(
            "clr_modules",
            IN_SCHEMA,
            &["objects"],
            "FROM sys.objects AS x JOIN sys.schemas AS s ON s.schema_id = x.schema_id\nWHERE \
             x.is_ms_shipped = 0 AND x.type IN ('FS', 'FT', 'PC', 'AF', 'TA')\nORDER BY s.name, \
             x.name",
        ),
        "CLR module",
        "is not made",
    ),
    stops(
        ask(
            "old_objects",
            IN_SCHEMA,
            &["objects"],
            "FROM sys.objects AS x JOIN sys.schemas AS s ON s.schema_id = x.schema_id\nWHERE \
             x.is_ms_shipped = 0 AND (x.type IN ('R', 'X', 'RF', 'PG') OR (x.type = 'D' AND \
             x.parent_object_id = 0))\nORDER BY s.name, x.name",
        ),
        "rule, default object, extended or replication procedure",
        "is not made; columns and types lose it",
    ),
    stops(
        ask(
            "numbered_procedures",
            IN_SCHEMA,
            &["numbered_procedures"],
            "FROM sys.numbered_procedures AS np JOIN sys.objects AS x ON x.object_id = \
             np.object_id\nJOIN sys.schemas AS s ON s.schema_id = x.schema_id\nORDER BY s.name, \
             x.name",
        ),
        "numbered procedure",
        "only its first number is made",
    ),
    stops(
        ask(
            "partition_schemes",
            OBJECT,
            &["partition_schemes"],
            "FROM sys.partition_schemes AS x ORDER BY x.name",
        ),
        "partition scheme",
        "is not made; its tables and indexes are made in one piece",
    ),
    stops(
        ask(
            "service_queues",
            IN_SCHEMA,
            &["service_queues"],
            "FROM sys.service_queues AS x JOIN sys.schemas AS s ON s.schema_id = x.schema_id\nWHERE \
             x.is_ms_shipped = 0\nORDER BY s.name, x.name",
        ),
        "Service Broker queue",
        "is not made, nor the messages in it",
    ),
    stops(
        ask(
            "services",
            OBJECT,
            &["services"],
            "FROM sys.services AS x WHERE x.service_id > 65535 ORDER BY x.name",
        ),
        "Service Broker service",
        "is not made",
    ),
    stops(
        ask(
            "service_contracts",
            OBJECT,
            &["service_contracts"],
            "FROM sys.service_contracts AS x WHERE x.service_contract_id > 65535 ORDER BY x.name",
        ),
        "Service Broker contract",
        "is not made",
    ),
    stops(
        ask(
            "message_types",
            OBJECT,
            &["service_message_types"],
            "FROM sys.service_message_types AS x WHERE x.message_type_id > 65535 ORDER BY x.name",
        ),
        "Service Broker message type",
        "is not made",
    ),
    stops(
        ask(
            "event_notifications",
            OBJECT,
            &["event_notifications"],
            "FROM sys.event_notifications AS x ORDER BY x.name",
        ),
        "event notification",
        "is not made",
    ),
    stops(
        ask(
            "fulltext_catalogs",
            OBJECT,
            &["fulltext_catalogs"],
            "FROM sys.fulltext_catalogs AS x ORDER BY x.name",
        ),
        "full-text catalog",
        "is not made",
    ),
    stops(
        ask(
            "fulltext_indexes",
            OF_TABLE,
            &["fulltext_indexes"],
            "FROM sys.fulltext_indexes AS x JOIN sys.objects AS o ON o.object_id = x.object_id\nJOIN \
             sys.schemas AS s ON s.schema_id = o.schema_id\nORDER BY s.name, o.name",
        ),
        "full-text index",
        "is not made",
    ),
    stops(
        ask(
            "other_indexes",
            OF_OBJECT,
            &["indexes"],
            "FROM sys.indexes AS x JOIN sys.objects AS o ON o.object_id = x.object_id\nJOIN \
             sys.schemas AS s ON s.schema_id = o.schema_id\nWHERE o.is_ms_shipped = 0 AND o.type IN \
             ('U', 'V') AND x.type NOT IN (0, 1, 2, 5, 6, 7)\nORDER BY s.name, o.name, x.name",
        ),
        "XML, spatial or other special index",
        "is not made",
    ),
    stops(
        ask(
            "xml_schema_collections",
            IN_SCHEMA,
            &["xml_schema_collections"],
            "FROM sys.xml_schema_collections AS x JOIN sys.schemas AS s ON s.schema_id = \
             x.schema_id\nWHERE x.xml_collection_id > 1 AND s.name <> N'sys'\nORDER BY s.name, x.name",
        ),
        "XML schema collection",
        "is not made; its columns become plain xml",
    ),
    stops(
        ask(
            "security_policies",
            IN_SCHEMA,
            &["security_policies"],
            "FROM sys.security_policies AS x JOIN sys.schemas AS s ON s.schema_id = \
             x.schema_id\nORDER BY s.name, x.name",
        ),
        "security policy",
        "is not made; rows that it hides from this login are not read",
    ),
    stops(
        ask(
            "external_data_sources",
            OBJECT,
            &["external_data_sources"],
            "FROM sys.external_data_sources AS x ORDER BY x.name",
        ),
        "external data source",
        "is not made",
    ),
    stops(
        ask(
            "external_file_formats",
            OBJECT,
            &["external_file_formats"],
            "FROM sys.external_file_formats AS x ORDER BY x.name",
        ),
        "external file format",
        "is not made",
    ),
    stops(
        ask(
            "external_libraries",
            OBJECT,
            &["external_libraries"],
            "FROM sys.external_libraries AS x ORDER BY x.name",
        ),
        "external library",
        "is not made",
    ),
    stops(
        ask(
            "master_keys",
            OBJECT,
            &["column_master_keys"],
            "FROM sys.column_master_keys AS x ORDER BY x.name",
        ),
        "column master key (Always Encrypted)",
        "is not made",
    ),
    stops(
        ask(
            "encryption_keys",
            OBJECT,
            &["column_encryption_keys"],
            "FROM sys.column_encryption_keys AS x ORDER BY x.name",
        ),
        "column encryption key (Always Encrypted)",
        "is not made",
    ),
    stops(
        ask(
            "symmetric_keys",
            OBJECT,
            &["symmetric_keys"],
            "FROM sys.symmetric_keys AS x ORDER BY x.name",
        ),
        "symmetric key",
        "is not made; what it encrypted cannot be read without it",
    ),
    stops(
        ask(
            "asymmetric_keys",
            OBJECT,
            &["asymmetric_keys"],
            "FROM sys.asymmetric_keys AS x ORDER BY x.name",
        ),
        "asymmetric key",
        "is not made",
    ),
    stops(
        ask(
            "certificates",
            OBJECT,
            &["certificates"],
            "FROM sys.certificates AS x WHERE x.name NOT LIKE N'##%' ORDER BY x.name",
        ),
        "certificate",
        "is not made",
    ),
    stops(
        ask(
            "credentials",
            OBJECT,
            &["database_scoped_credentials"],
            "FROM sys.database_scoped_credentials AS x ORDER BY x.name",
        ),
        "database scoped credential",
        "is not made",
    ),
    stops(
        ask(
            "signatures",
            IN_SCHEMA,
            &["crypt_properties"],
            "FROM sys.crypt_properties AS cp JOIN sys.objects AS x ON cp.class = 1 AND x.object_id = \
             cp.major_id\nJOIN sys.schemas AS s ON s.schema_id = x.schema_id\nORDER BY s.name, x.name",
        ),
        "signature of a module",
        "is not given",
    ),
    stops(
        ask(
            "audits",
            OBJECT,
            &["database_audit_specifications"],
            "FROM sys.database_audit_specifications AS x ORDER BY x.name",
        ),
        "audit specification",
        "is not made",
    ),
    stops(
        ask(
            "classifications",
            OF_OBJECT,
            &["sensitivity_classifications"],
            "FROM sys.sensitivity_classifications AS sc JOIN sys.objects AS o ON sc.class = 1 AND \
             o.object_id = sc.major_id\nJOIN sys.schemas AS s ON s.schema_id = o.schema_id\nJOIN \
             sys.columns AS x ON x.object_id = sc.major_id AND x.column_id = sc.minor_id\nORDER BY \
             s.name, o.name, x.name",
        ),
        "sensitivity classification",
        "is not given",
    ),
    stops(
        ask(
            "stoplists",
            OBJECT,
            &["fulltext_stoplists"],
            "FROM sys.fulltext_stoplists AS x ORDER BY x.name",
        ),
        "full-text stoplist",
        "is not made",
    ),
    stops(
        ask(
            "search_properties",
            OBJECT,
            &["registered_search_property_lists"],
            "FROM sys.registered_search_property_lists AS x ORDER BY x.name",
        ),
        "search property list",
        "is not made",
    ),
    stops(
        ask(
            "service_bindings",
            OBJECT,
            &["remote_service_bindings"],
            "FROM sys.remote_service_bindings AS x ORDER BY x.name",
        ),
        "Service Broker remote binding",
        "is not made",
    ),
    stops(
        ask(
            "routes",
            OBJECT,
            &["routes"],
            "FROM sys.routes AS x WHERE x.name <> N'AutoCreatedLocal' ORDER BY x.name",
        ),
        "Service Broker route",
        "is not made",
    ),
    stops(
        ask(
            "priorities",
            OBJECT,
            &["conversation_priorities"],
            "FROM sys.conversation_priorities AS x ORDER BY x.name",
        ),
        "Service Broker priority",
        "is not made",
    ),
    told(
        ask(
            "scoped_configurations",
            OBJECT,
            &["database_scoped_configurations"],
            // Values are variants of several types; those of 2016 are looked at, which are numbers.
            "FROM sys.database_scoped_configurations AS x\nWHERE (x.name IN \
             (N'LEGACY_CARDINALITY_ESTIMATION', N'QUERY_OPTIMIZER_HOTFIXES', N'MAXDOP') AND \
             CONVERT(nvarchar(60), x.value) <> N'0') OR (x.name = N'PARAMETER_SNIFFING' AND \
             CONVERT(nvarchar(60), x.value) <> N'1')\nORDER BY x.name",
        ),
        "database scoped configuration",
        "is what new databases of the target have",
    ),
    told(
        ask(
            "query_store",
            &[text("object", "x.desired_state_desc")],
            &["database_query_store_options"],
            "FROM sys.database_query_store_options AS x WHERE x.desired_state <> 0",
        ),
        "Query Store",
        "is what new databases of the target have, without what was collected",
    ),
    told(
        ask("plan_guides", OBJECT, &["plan_guides"], "FROM sys.plan_guides AS x ORDER BY x.name"),
        "plan guide",
        "is not made",
    ),
    told(
        ask(
            "statistics",
            OF_OBJECT,
            &["stats"],
            "FROM sys.stats AS x JOIN sys.objects AS o ON o.object_id = x.object_id\nJOIN \
             sys.schemas AS s ON s.schema_id = o.schema_id\nWHERE x.user_created = 1 AND \
             o.is_ms_shipped = 0 AND o.type IN ('U', 'V')\nORDER BY s.name, o.name, x.name",
        ),
        "statistics",
        "are not made; the server makes its own",
    ),
    told(
        ask(
            "change_tracking",
            OF_TABLE,
            &["change_tracking_tables"],
            "FROM sys.change_tracking_tables AS x JOIN sys.objects AS o ON o.object_id = \
             x.object_id\nJOIN sys.schemas AS s ON s.schema_id = o.schema_id\nORDER BY s.name, o.name",
        ),
        "change tracking",
        "is off in the target",
    ),
    told(
        ask(
            "filegroups",
            OBJECT,
            &["filegroups"],
            "FROM sys.filegroups AS x WHERE x.is_default = 0 AND x.type = 'FG' ORDER BY x.name",
        ),
        "filegroup",
        "is not made; all goes to the default one",
    ),
];

/// What of these kinds there is.
pub fn read(answers: &Answers) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for kind in &ALL {
        for cells in kind.question.rows(answers)? {
            let object =
                cells.maybe_text("object")?.unwrap_or_else(|| "(without a name)".to_owned());
            let why = kind.why.to_owned();
            findings.push(Finding { weight: kind.weight, what: kind.what, object, why });
        }
    }
    Ok(findings)
}
