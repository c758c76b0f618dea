-- a comment; with a semicolon
# another; one
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20));
INSERT /* inside; */ INTO t VALUES (1,'a'); INSERT INTO t VALUES (2,'b');
insert into t values (3,'c')
, /* between */ (4,'d')
;
INSERT INTO t
VALUES
	(5,'e'), -- after a row
	(6,'f');;
INSERT INTO t(id,v)VALUES(7,'g'),(8,'h');
/* only a comment */;
/*!50000 INSERT INTO t VALUES (9,'i') */;
/*!99999 INSERT INTO t VALUES (10,'never') */;
INSERT INTO t VALUES (11,'j' 'k'),(12,N'l'),(13,_utf8mb4'm'),(14,x'41'),(15,TRUE);
INSERT INTO t VALUES (16, - 5),(17,+5),(18,1e3),(19,.5),(20,1+1);
INSERT INTO t VALUES (21,NULL)\g
INSERT INTO t VALUES (22,'n')
