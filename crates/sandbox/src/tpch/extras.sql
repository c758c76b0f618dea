-- What makes a dump more than tables: a function, a procedure, a trigger and a view.
USE tpch;
DELIMITER //
CREATE FUNCTION net_price(price DECIMAL(15, 2), discount DECIMAL(15, 2))
RETURNS DECIMAL(17, 4) DETERMINISTIC NO SQL
BEGIN
  -- A statement end inside a body; and a quoted one: ';'
  RETURN price * (1 - discount);
END//
CREATE PROCEDURE customer_orders(IN customer INT)
READS SQL DATA
BEGIN
  SELECT o_orderkey, o_orderdate, o_totalprice
  FROM orders
  WHERE o_custkey = customer
  ORDER BY o_orderdate;
END//
CREATE TRIGGER orders_priority BEFORE INSERT ON orders FOR EACH ROW
BEGIN
  IF NEW.o_orderpriority = '' THEN
    SET NEW.o_orderpriority = '4-NOT SPECIFIED';
  END IF;
END//
DELIMITER ;
CREATE VIEW revenue AS
SELECT l_suppkey AS supplier_no, SUM(net_price(l_extendedprice, l_discount)) AS total_revenue
FROM lineitem
GROUP BY l_suppkey;
