CREATE TABLE m (id INT PRIMARY KEY, v VARCHAR(5)) ENGINE=MyISAM;
CREATE TABLE i (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE h (id INT PRIMARY KEY) ENGINE=MEMORY;
INSERT INTO m VALUES (1,'a'),(2,'b');
INSERT INTO m VALUES (3,'c');
INSERT INTO h VALUES (1);
INSERT INTO h VALUES (2);
BEGIN;
INSERT INTO m VALUES (4,'stays');
INSERT INTO i VALUES (4);
ROLLBACK;
-- the first rows of a failing statement stay in a table without transactions
INSERT INTO m VALUES (5,'stays'),(6,'stays'),(1,'again'),(7,'never');
