CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(3));
SET sql_mode = '';
INSERT INTO t VALUES (1,'cut short');
INSERT INTO t VALUES (2,'cut'),(3,'cut again');
SET sql_mode = 'STRICT_ALL_TABLES';
INSERT INTO t VALUES (4,'abc');
INSERT INTO t VALUES (5,'ok'),(6,'too long'),(7,'ok');
INSERT INTO t VALUES (8,'ok');
