//! The questions that a database's objects are read with, one constant each.
//!
//! Promises: they only read, name no database but the session's own, and come in an order in which
//! two readings of the same catalog are equal. What cannot be carried is asked in
//! [`super::unsupported`].

use super::question::{Question, int, text};

/// The database itself and those of its options that are carried or told.
pub const DATABASE: Question = Question {
    name: "database",
    columns: &[
        text("name", "d.name"),
        text("collation_name", "d.collation_name"),
        int("compatibility_level", "d.compatibility_level"),
        int("snapshot_isolation_state", "d.snapshot_isolation_state"),
        int("is_read_committed_snapshot_on", "d.is_read_committed_snapshot_on"),
        int("is_recursive_triggers_on", "d.is_recursive_triggers_on"),
        int("is_ansi_null_default_on", "d.is_ansi_null_default_on"),
        int("is_ansi_nulls_on", "d.is_ansi_nulls_on"),
        int("is_ansi_padding_on", "d.is_ansi_padding_on"),
        int("is_ansi_warnings_on", "d.is_ansi_warnings_on"),
        int("is_arithabort_on", "d.is_arithabort_on"),
        int("is_concat_null_yields_null_on", "d.is_concat_null_yields_null_on"),
        int("is_numeric_roundabort_on", "d.is_numeric_roundabort_on"),
        int("is_quoted_identifier_on", "d.is_quoted_identifier_on"),
        int("is_cursor_close_on_commit_on", "d.is_cursor_close_on_commit_on"),
        int("is_local_cursor_default", "d.is_local_cursor_default"),
        int("is_auto_close_on", "d.is_auto_close_on"),
        int("is_auto_shrink_on", "d.is_auto_shrink_on"),
        int("is_auto_create_stats_on", "d.is_auto_create_stats_on"),
        int("is_auto_update_stats_on", "d.is_auto_update_stats_on"),
        int("is_auto_update_stats_async_on", "d.is_auto_update_stats_async_on"),
        int("is_date_correlation_on", "d.is_date_correlation_on"),
        int("is_parameterization_forced", "d.is_parameterization_forced"),
        text("page_verify_option_desc", "d.page_verify_option_desc"),
        text("recovery_model_desc", "d.recovery_model_desc"),
        int("is_read_only", "d.is_read_only"),
        int("is_trustworthy_on", "d.is_trustworthy_on"),
        int("is_db_chaining_on", "d.is_db_chaining_on"),
        int("is_published", "d.is_published"),
        int("is_cdc_enabled", "d.is_cdc_enabled").since("databases", "is_cdc_enabled", "0"),
        int("is_encrypted", "d.is_encrypted").since("databases", "is_encrypted", "0"),
        int("containment", "d.containment").since("databases", "containment", "0"),
        int("is_ledger_on", "d.is_ledger_on").since("databases", "is_ledger_on", "0"),
        int("delayed_durability", "d.delayed_durability").since(
            "databases",
            "delayed_durability",
            "0",
        ),
    ],
    from: "FROM sys.databases AS d WHERE d.database_id = DB_ID()",
    views: &["databases"],
};

/// Schemas that users made, and `dbo`.
pub const SCHEMAS: Question = Question {
    name: "schemas",
    columns: &[text("name", "s.name"), text("owner", "p.name")],
    from: "FROM sys.schemas AS s LEFT JOIN sys.database_principals AS p ON p.principal_id = \
           s.principal_id\nWHERE s.name NOT IN (N'sys', N'INFORMATION_SCHEMA', N'guest', \
           N'db_owner', N'db_accessadmin', N'db_securityadmin', N'db_ddladmin', \
           N'db_backupoperator', N'db_datareader', N'db_datawriter', N'db_denydatareader', \
           N'db_denydatawriter')\nORDER BY s.schema_id",
    views: &["schemas"],
};

/// Alias types, table types, and types of assemblies.
pub const KINDS: Question = Question {
    name: "kinds",
    columns: &[
        int("user_type_id", "t.user_type_id"),
        text("schema_name", "s.name"),
        text("name", "t.name"),
        text("base_name", "b.name"),
        int("max_length", "t.max_length"),
        int("precision", "t.precision"),
        int("scale", "t.scale"),
        int("is_nullable", "t.is_nullable"),
        int("is_assembly_type", "t.is_assembly_type"),
        int("is_table_type", "t.is_table_type"),
        int("rule_object_id", "t.rule_object_id"),
        int("default_object_id", "t.default_object_id"),
        int("table_object_id", "tt.type_table_object_id"),
        int("is_memory_optimized", "tt.is_memory_optimized").since(
            "table_types",
            "is_memory_optimized",
            "0",
        ),
    ],
    from: "FROM sys.types AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id\nLEFT JOIN \
           sys.types AS b ON b.user_type_id = t.system_type_id\nLEFT JOIN sys.table_types AS tt ON \
           tt.user_type_id = t.user_type_id\nWHERE t.is_user_defined = 1\nORDER BY t.user_type_id",
    views: &["types", "table_types"],
};

/// Tables.
pub const TABLES: Question = Question {
    name: "tables",
    columns: &[
        int("object_id", "t.object_id"),
        text("schema_name", "s.name"),
        text("name", "t.name"),
        int("uses_ansi_nulls", "t.uses_ansi_nulls"),
        int("lock_escalation", "t.lock_escalation"),
        int("large_value_types_out_of_row", "t.large_value_types_out_of_row"),
        int("text_in_row_limit", "t.text_in_row_limit"),
        int("is_replicated", "t.is_replicated"),
        int("is_tracked_by_cdc", "t.is_tracked_by_cdc").since("tables", "is_tracked_by_cdc", "0"),
        int("is_filetable", "t.is_filetable").since("tables", "is_filetable", "0"),
        int("is_memory_optimized", "t.is_memory_optimized").since(
            "tables",
            "is_memory_optimized",
            "0",
        ),
        int("temporal_type", "t.temporal_type").since("tables", "temporal_type", "0"),
        int("history_table_id", "t.history_table_id").since("tables", "history_table_id", "NULL"),
        int("history_retention_period", "t.history_retention_period").since(
            "tables",
            "history_retention_period",
            "NULL",
        ),
        text("history_retention_unit", "t.history_retention_period_unit_desc").since(
            "tables",
            "history_retention_period_unit_desc",
            "NULL",
        ),
        int("is_external", "t.is_external").since("tables", "is_external", "0"),
        int("is_node", "t.is_node").since("tables", "is_node", "0"),
        int("is_edge", "t.is_edge").since("tables", "is_edge", "0"),
        int("ledger_type", "t.ledger_type").since("tables", "ledger_type", "0"),
        int(
            "row_count",
            "(SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = t.object_id AND \
             p.index_id IN (0, 1))",
        )
        .since("partitions", "rows", "0"),
        int(
            "page_count",
            "(SELECT SUM(a.used_pages) FROM sys.partitions AS p JOIN sys.allocation_units AS a ON \
             a.container_id = CASE a.type WHEN 2 THEN p.partition_id ELSE p.hobt_id END WHERE \
             p.object_id = t.object_id AND p.index_id IN (0, 1))",
        )
        .since("allocation_units", "used_pages", "0"),
    ],
    from: "FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id\nWHERE \
           t.is_ms_shipped = 0\nORDER BY t.object_id",
    views: &["tables"],
};

/// The columns of tables and table types, with what hangs on one column only.
///
/// The schema of a type is asked for where users made the type; others may have one that is not listed.
pub const COLUMNS: Question = Question {
    name: "columns",
    columns: &[
        int("object_id", "c.object_id"),
        int("column_id", "c.column_id"),
        text("name", "c.name"),
        text("type_schema", "ts.name"),
        text("type_name", "t.name"),
        int("type_is_user", "t.is_user_defined"),
        int("type_is_assembly", "t.is_assembly_type"),
        text("base_name", "b.name"),
        int("max_length", "c.max_length"),
        int("precision", "c.precision"),
        int("scale", "c.scale"),
        text("collation_name", "c.collation_name"),
        int("is_nullable", "c.is_nullable"),
        int("is_ansi_padded", "c.is_ansi_padded"),
        int("is_rowguidcol", "c.is_rowguidcol"),
        int("is_filestream", "c.is_filestream"),
        int("is_sparse", "c.is_sparse"),
        int("is_column_set", "c.is_column_set"),
        int("xml_collection_id", "c.xml_collection_id"),
        int("rule_object_id", "c.rule_object_id"),
        int("default_object_id", "c.default_object_id"),
        int("generated_always_type", "c.generated_always_type").since(
            "columns",
            "generated_always_type",
            "0",
        ),
        int("is_hidden", "c.is_hidden").since("columns", "is_hidden", "0"),
        int("is_masked", "c.is_masked").since("columns", "is_masked", "0"),
        int("encryption_type", "c.encryption_type").since("columns", "encryption_type", "NULL"),
        int("graph_type", "c.graph_type").since("columns", "graph_type", "NULL"),
        text("default_name", "d.name"),
        text("default_definition", "d.definition"),
        text("computed_definition", "k.definition"),
        int("is_persisted", "k.is_persisted"),
        int("is_identity", "c.is_identity"),
        // Not every server has these two in its view.
        text(
            "seed",
            "CONVERT(nvarchar(64), COALESCE(i.seed_value, CASE c.is_identity WHEN 1 THEN \
             IDENT_SEED(QUOTENAME(SCHEMA_NAME(o.schema_id)) + N'.' + QUOTENAME(o.name)) END))",
        ),
        text(
            "increment",
            "CONVERT(nvarchar(64), COALESCE(i.increment_value, CASE c.is_identity WHEN 1 THEN \
             IDENT_INCR(QUOTENAME(SCHEMA_NAME(o.schema_id)) + N'.' + QUOTENAME(o.name)) END))",
        ),
        text("last_value", "CONVERT(nvarchar(64), i.last_value)"),
        int("identity_not_for_replication", "i.is_not_for_replication"),
    ],
    from: "FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id\nJOIN sys.types \
           AS t ON t.user_type_id = c.user_type_id LEFT JOIN sys.schemas AS ts ON ts.schema_id = \
           t.schema_id\nLEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id\nLEFT JOIN \
           sys.default_constraints AS d ON d.object_id = c.default_object_id\nLEFT JOIN \
           sys.computed_columns AS k ON k.object_id = c.object_id AND k.column_id = \
           c.column_id\nLEFT JOIN sys.identity_columns AS i ON i.object_id = c.object_id AND \
           i.column_id = c.column_id\nWHERE (o.type = 'U' AND o.is_ms_shipped = 0) OR o.type = \
           'TT'\nORDER BY c.object_id, c.column_id",
    views: &["columns", "default_constraints", "computed_columns", "identity_columns"],
};

/// Checks of tables and table types.
pub const CHECKS: Question = Question {
    name: "checks",
    columns: &[
        int("object_id", "k.object_id"),
        int("parent_object_id", "k.parent_object_id"),
        text("name", "k.name"),
        text("definition", "k.definition"),
        int("is_disabled", "k.is_disabled"),
        int("is_not_trusted", "k.is_not_trusted"),
        int("is_not_for_replication", "k.is_not_for_replication"),
    ],
    from: "FROM sys.check_constraints AS k JOIN sys.objects AS o ON o.object_id = \
           k.parent_object_id\nWHERE (o.type = 'U' AND o.is_ms_shipped = 0) OR o.type = \
           'TT'\nORDER BY k.parent_object_id, k.name",
    views: &["check_constraints"],
};

/// Indexes of tables, views and table types; heaps are index 0, hypothetical ones are left out.
pub const INDEXES: Question = Question {
    name: "indexes",
    columns: &[
        int("object_id", "i.object_id"),
        int("index_id", "i.index_id"),
        text("name", "i.name"),
        int("type", "i.type"),
        int("is_unique", "i.is_unique"),
        int("is_primary_key", "i.is_primary_key"),
        int("is_unique_constraint", "i.is_unique_constraint"),
        int("is_disabled", "i.is_disabled"),
        int("fill_factor", "i.fill_factor"),
        int("is_padded", "i.is_padded"),
        int("ignore_dup_key", "i.ignore_dup_key"),
        int("allow_row_locks", "i.allow_row_locks"),
        int("allow_page_locks", "i.allow_page_locks"),
        text("filter_definition", "i.filter_definition"),
        int("compression_delay", "i.compression_delay").since(
            "indexes",
            "compression_delay",
            "NULL",
        ),
        int("optimize_for_sequential_key", "i.optimize_for_sequential_key").since(
            "indexes",
            "optimize_for_sequential_key",
            "0",
        ),
        int(
            "no_recompute",
            "(SELECT st.no_recompute FROM sys.stats AS st WHERE st.object_id = i.object_id AND \
             st.stats_id = i.index_id)",
        )
        .since("stats", "no_recompute", "0"),
        int(
            "compression",
            "(SELECT MIN(p.data_compression) FROM sys.partitions AS p WHERE p.object_id = \
             i.object_id AND p.index_id = i.index_id)",
        )
        .since("partitions", "data_compression", "0"),
        int(
            "compression_max",
            "(SELECT MAX(p.data_compression) FROM sys.partitions AS p WHERE p.object_id = \
             i.object_id AND p.index_id = i.index_id)",
        )
        .since("partitions", "data_compression", "0"),
        int(
            "xml_compression",
            "(SELECT MIN(CAST(p.xml_compression AS int)) FROM sys.partitions AS p WHERE p.object_id \
             = i.object_id AND p.index_id = i.index_id)",
        )
        .since("partitions", "xml_compression", "0"),
        text("data_space_type", "ds.type"),
        ],
    from: "FROM sys.indexes AS i JOIN sys.objects AS o ON o.object_id = i.object_id\nLEFT JOIN \
           sys.data_spaces AS ds ON ds.data_space_id = i.data_space_id\nWHERE i.is_hypothetical = 0 \
           AND ((o.type IN ('U', 'V') AND o.is_ms_shipped = 0) OR o.type = 'TT')\nORDER BY \
           i.object_id, i.index_id",
    views: &["indexes", "data_spaces"],
};

/// The columns of indexes.
pub const INDEX_COLUMNS: Question = Question {
    name: "index_columns",
    columns: &[
        int("object_id", "ic.object_id"),
        int("index_id", "ic.index_id"),
        text("name", "c.name"),
        int("key_ordinal", "ic.key_ordinal"),
        int("is_descending_key", "ic.is_descending_key"),
        int("is_included_column", "ic.is_included_column"),
        int("order_ordinal", "ic.column_store_order_ordinal").since(
            "index_columns",
            "column_store_order_ordinal",
            "0",
        ),
    ],
    from: "FROM sys.index_columns AS ic JOIN sys.objects AS o ON o.object_id = ic.object_id\nJOIN \
           sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id\nWHERE \
           (o.type IN ('U', 'V') AND o.is_ms_shipped = 0) OR o.type = 'TT'\nORDER BY ic.object_id, \
           ic.index_id, ic.key_ordinal, ic.index_column_id",
    views: &["index_columns"],
};

/// Foreign keys.
pub const FOREIGN_KEYS: Question = Question {
    name: "foreign_keys",
    columns: &[
        int("object_id", "f.object_id"),
        int("parent_object_id", "f.parent_object_id"),
        text("name", "f.name"),
        int("referenced_object_id", "f.referenced_object_id"),
        int("delete_action", "f.delete_referential_action"),
        int("update_action", "f.update_referential_action"),
        int("is_disabled", "f.is_disabled"),
        int("is_not_trusted", "f.is_not_trusted"),
        int("is_not_for_replication", "f.is_not_for_replication"),
    ],
    from: "FROM sys.foreign_keys AS f\nWHERE f.is_ms_shipped = 0\nORDER BY f.parent_object_id, \
           f.name",
    views: &["foreign_keys"],
};

/// The columns of foreign keys.
pub const FOREIGN_KEY_COLUMNS: Question = Question {
    name: "foreign_key_columns",
    columns: &[
        int("object_id", "fc.constraint_object_id"),
        text("name", "pc.name"),
        text("referenced_name", "rc.name"),
    ],
    from: "FROM sys.foreign_key_columns AS fc JOIN sys.columns AS pc ON pc.object_id = \
           fc.parent_object_id AND pc.column_id = fc.parent_column_id\nJOIN sys.columns AS rc ON \
           rc.object_id = fc.referenced_object_id AND rc.column_id = \
           fc.referenced_column_id\nORDER BY fc.constraint_object_id, fc.constraint_column_id",
    views: &["foreign_key_columns"],
};

/// Sequences. Their numbers are texts: a `decimal(38)` is larger than a bigint.
pub const SEQUENCES: Question = Question {
    name: "sequences",
    columns: &[
        int("object_id", "q.object_id"),
        text("schema_name", "s.name"),
        text("name", "q.name"),
        text("type_schema", "ts.name"),
        text("type_name", "t.name"),
        int("type_is_user", "t.is_user_defined"),
        int("precision", "q.precision"),
        text("start_value", "CONVERT(nvarchar(64), q.start_value)"),
        text("increment", "CONVERT(nvarchar(64), q.increment)"),
        text("minimum_value", "CONVERT(nvarchar(64), q.minimum_value)"),
        text("maximum_value", "CONVERT(nvarchar(64), q.maximum_value)"),
        int("is_cycling", "q.is_cycling"),
        int("is_cached", "q.is_cached"),
        int("cache_size", "q.cache_size"),
        text("current_value", "CONVERT(nvarchar(64), q.current_value)"),
        // Older servers do not tell an unused sequence from one that gave its first value.
        int("is_used", "CASE WHEN q.last_used_value IS NULL THEN 0 ELSE 1 END").since(
            "sequences",
            "last_used_value",
            "1",
        ),
    ],
    from: "FROM sys.sequences AS q JOIN sys.schemas AS s ON s.schema_id = q.schema_id\nJOIN \
           sys.types AS t ON t.user_type_id = q.user_type_id LEFT JOIN sys.schemas AS ts ON \
           ts.schema_id = t.schema_id\nORDER BY q.object_id",
    views: &["sequences"],
};

/// Views, functions and procedures with their texts.
pub const MODULES: Question = Question {
    name: "modules",
    columns: &[
        int("object_id", "o.object_id"),
        text("schema_name", "s.name"),
        text("name", "o.name"),
        text("type", "o.type"),
        text("definition", "m.definition"),
        int("uses_ansi_nulls", "m.uses_ansi_nulls"),
        int("uses_quoted_identifier", "m.uses_quoted_identifier"),
        int("is_schema_bound", "m.is_schema_bound"),
        int("is_encrypted", "OBJECTPROPERTY(o.object_id, 'IsEncrypted')"),
        int("executes_as_user", "CASE WHEN m.execute_as_principal_id > 0 THEN 1 ELSE 0 END"),
        int("is_native", "m.uses_native_compilation").since(
            "sql_modules",
            "uses_native_compilation",
            "0",
        ),
    ],
    from: "FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id\nJOIN \
           sys.sql_modules AS m ON m.object_id = o.object_id\nWHERE o.is_ms_shipped = 0 AND o.type \
           IN ('V', 'P', 'FN', 'IF', 'TF')\nORDER BY o.object_id",
    views: &["sql_modules"],
};

/// Triggers of tables and views, and of the database.
pub const TRIGGERS: Question = Question {
    name: "triggers",
    columns: &[
        int("object_id", "t.object_id"),
        text("name", "t.name"),
        int("parent_class", "t.parent_class"),
        int("parent_id", "t.parent_id"),
        text("schema_name", "s.name"),
        text("parent_name", "p.name"),
        int("is_disabled", "t.is_disabled"),
        text("definition", "m.definition"),
        int("is_encrypted", "OBJECTPROPERTY(t.object_id, 'IsEncrypted')"),
        int("uses_ansi_nulls", "m.uses_ansi_nulls"),
        int("uses_quoted_identifier", "m.uses_quoted_identifier"),
        int("executes_as_user", "CASE WHEN m.execute_as_principal_id > 0 THEN 1 ELSE 0 END"),
    ],
    from: "FROM sys.triggers AS t LEFT JOIN sys.sql_modules AS m ON m.object_id = \
           t.object_id\nLEFT JOIN sys.objects AS p ON p.object_id = t.parent_id AND t.parent_class = \
           1\nLEFT JOIN sys.schemas AS s ON s.schema_id = p.schema_id\nWHERE t.is_ms_shipped = 0 AND \
           t.type = 'TR'\nORDER BY t.object_id",
    views: &["triggers"],
};

/// The statements for which a trigger fires first or last.
pub const TRIGGER_ORDERS: Question = Question {
    name: "trigger_orders",
    columns: &[
        int("object_id", "e.object_id"),
        text("event", "e.type_desc"),
        int("is_first", "e.is_first"),
    ],
    from: "FROM sys.trigger_events AS e\nWHERE e.is_first = 1 OR e.is_last = 1\nORDER BY \
           e.object_id, e.type_desc",
    views: &["trigger_events"],
};

/// What names what.
pub const DEPENDENCIES: Question = Question {
    name: "dependencies",
    columns: &[
        int("object_id", "d.referencing_id"),
        int("minor_id", "d.referencing_minor_id"),
        int("is_schema_bound", "d.is_schema_bound_reference"),
        text("server_name", "d.referenced_server_name"),
        text("database_name", "d.referenced_database_name"),
        text("schema_name", "d.referenced_schema_name"),
        text("name", "d.referenced_entity_name"),
        int("referenced_class", "d.referenced_class"),
        int("referenced_id", "d.referenced_id"),
    ],
    from: "FROM sys.sql_expression_dependencies AS d\nORDER BY d.referencing_id, \
           d.referencing_minor_id, d.referenced_schema_name, d.referenced_entity_name, \
           d.referenced_minor_id",
    views: &["sql_expression_dependencies"],
};

/// Synonyms.
pub const SYNONYMS: Question = Question {
    name: "synonyms",
    columns: &[
        int("object_id", "y.object_id"),
        text("schema_name", "s.name"),
        text("name", "y.name"),
        text("base_object_name", "y.base_object_name"),
    ],
    from: "FROM sys.synonyms AS y JOIN sys.schemas AS s ON s.schema_id = y.schema_id\nORDER BY \
           y.object_id",
    views: &["synonyms"],
};

/// Periods of tables whose rows are versioned, or could be.
pub const PERIODS: Question = Question {
    name: "periods",
    columns: &[
        int("object_id", "p.object_id"),
        text("start_name", "a.name"),
        text("end_name", "b.name"),
    ],
    from: "FROM sys.periods AS p JOIN sys.columns AS a ON a.object_id = p.object_id AND a.column_id \
           = p.start_column_id\nJOIN sys.columns AS b ON b.object_id = p.object_id AND b.column_id = \
           p.end_column_id\nORDER BY p.object_id",
    views: &["periods"],
};

/// Extended properties, with the names of what they hang on.
///
/// A value keeps its base type; its text is one that this type reads back.
pub const PROPERTIES: Question = Question {
    name: "properties",
    columns: &[
        int("class", "e.class"),
        text("class_desc", "e.class_desc"),
        int("object_id", "e.major_id"),
        int("minor_id", "e.minor_id"),
        text("name", "e.name"),
        text("base_type", "CAST(SQL_VARIANT_PROPERTY(e.value, 'BaseType') AS nvarchar(128))"),
        int("precision", "SQL_VARIANT_PROPERTY(e.value, 'Precision')"),
        int("scale", "SQL_VARIANT_PROPERTY(e.value, 'Scale')"),
        int("max_length", "SQL_VARIANT_PROPERTY(e.value, 'MaxLength')"),
        // A variant holds 8,000 bytes, and is not turned into a `max` type at once.
        text(
            "value",
            "CASE CAST(SQL_VARIANT_PROPERTY(e.value, 'BaseType') AS nvarchar(128)) WHEN N'binary' \
             THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), e.value), 1) WHEN N'varbinary' \
             THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), e.value), 1) WHEN N'varchar' THEN \
             CONVERT(nvarchar(max), CONVERT(varchar(8000), e.value)) WHEN N'char' THEN \
             CONVERT(nvarchar(max), CONVERT(varchar(8000), e.value)) WHEN N'datetime' THEN \
             CONVERT(nvarchar(64), CONVERT(datetime2(7), e.value), 126) WHEN N'smalldatetime' THEN \
             CONVERT(nvarchar(64), CONVERT(datetime2(7), e.value), 126) WHEN N'datetime2' THEN \
             CONVERT(nvarchar(64), CONVERT(datetime2(7), e.value), 126) WHEN N'date' THEN \
             CONVERT(nvarchar(64), CONVERT(date, e.value), 126) WHEN N'float' THEN \
             CONVERT(nvarchar(64), CONVERT(float, e.value), 2) WHEN N'real' THEN \
             CONVERT(nvarchar(64), CONVERT(float, e.value), 2) WHEN N'money' THEN \
             CONVERT(nvarchar(64), CONVERT(money, e.value), 2) WHEN N'smallmoney' THEN \
             CONVERT(nvarchar(64), CONVERT(money, e.value), 2) ELSE CONVERT(nvarchar(4000), e.value) \
             END",
        ),
        text("type", "o.type"),
        text("schema_name", "COALESCE(s.name, ns.name, ts.name)"),
        text("object_name", "o.name"),
        text("parent_name", "po.name"),
        text("parent_type", "po.type"),
        text("column_name", "c.name"),
        text(
            "parameter_name",
            "(SELECT pa.name FROM sys.parameters AS pa WHERE e.class = 2 AND pa.object_id = \
             e.major_id AND pa.parameter_id = e.minor_id)",
        )
        .since("parameters", "parameter_id", "NULL"),
        text("index_name", "i.name"),
        text("type_name", "t.name"),
        text("trigger_name", "tr.name"),
    ],
    from: "FROM sys.extended_properties AS e\nLEFT JOIN sys.objects AS o ON e.class IN (1, 2, 7) AND \
           o.object_id = e.major_id\nLEFT JOIN sys.schemas AS s ON s.schema_id = o.schema_id\nLEFT \
           JOIN sys.objects AS po ON po.object_id = o.parent_object_id\nLEFT JOIN sys.schemas AS ns \
           ON e.class = 3 AND ns.schema_id = e.major_id\nLEFT JOIN sys.types AS t ON e.class IN (6, \
           8) AND t.user_type_id = e.major_id\nLEFT JOIN sys.schemas AS ts ON ts.schema_id = \
           t.schema_id\nLEFT JOIN sys.table_types AS tt ON tt.user_type_id = t.user_type_id\nLEFT \
           JOIN sys.columns AS c ON e.minor_id > 0 AND ((e.class = 1 AND c.object_id = e.major_id) \
           OR (e.class = 8 AND c.object_id = tt.type_table_object_id)) AND c.column_id = \
           e.minor_id\nLEFT JOIN sys.indexes AS i ON e.class = 7 AND \
           i.object_id = e.major_id AND i.index_id = e.minor_id\nLEFT JOIN sys.triggers AS tr ON \
           e.class = 1 AND tr.parent_class = 0 AND tr.object_id = e.major_id\nWHERE e.name <> \
           N'microsoft_database_tools_support'\nORDER BY e.class, e.major_id, e.minor_id, e.name",
    views: &["extended_properties"],
};

/// All of them.
pub const ALL: [&Question; 18] = [
    &DATABASE,
    &SCHEMAS,
    &KINDS,
    &TABLES,
    &COLUMNS,
    &CHECKS,
    &INDEXES,
    &INDEX_COLUMNS,
    &FOREIGN_KEYS,
    &FOREIGN_KEY_COLUMNS,
    &SEQUENCES,
    &MODULES,
    &TRIGGERS,
    &TRIGGER_ORDERS,
    &DEPENDENCIES,
    &SYNONYMS,
    &PERIODS,
    &PROPERTIES,
];
