# Upgrade 7, by hand.
source ./schema.sql
\! rm -rf /tmp/nothing
use legacy
SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='ANSI';
INSERT INTO "t;1" SET a = 'x';
SET SQL_MODE=@OLD_SQL_MODE;
INSERT INTO `t` VALUES ("a;b"), ('c');
LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;
SELECT * FROM t INTO OUTFILE '/tmp/x';
SET GLOBAL max_connections = 1000;
CREATE TEMPORARY TABLE scratch (a int);
UPDATE mysql.user SET plugin = '';
DROP DATABASE old;
status
quit
SELECT 'never read';
