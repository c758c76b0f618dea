/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump
USE db
SELECT 1 /* a */ , 2;
SELECT $$ b; $$;
DELIMITER //
CREATE PROCEDURE p()
BEGIN

  SELECT 1;
END//
DELIMITER ;
SELECT 'crlf
inside';
SELECT 1\G
SELECT 2\g
\C latin1
source other.sql
SELECT 'no end'
