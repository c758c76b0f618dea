-- Secondary indexes first, then foreign keys, which then need no index of their own.
USE tpch;
SET foreign_key_checks = 0;
ALTER TABLE nation ADD KEY n_region (n_regionkey);
ALTER TABLE supplier ADD KEY s_nation (s_nationkey);
ALTER TABLE partsupp ADD KEY ps_supplier (ps_suppkey);
ALTER TABLE customer ADD KEY c_nation (c_nationkey);
ALTER TABLE orders ADD KEY o_customer (o_custkey), ADD KEY o_date (o_orderdate);
ALTER TABLE lineitem ADD KEY l_part_supplier (l_partkey, l_suppkey), ADD KEY l_ship (l_shipdate);
ALTER TABLE nation
  ADD CONSTRAINT n_region FOREIGN KEY (n_regionkey) REFERENCES region (r_regionkey);
ALTER TABLE supplier
  ADD CONSTRAINT s_nation FOREIGN KEY (s_nationkey) REFERENCES nation (n_nationkey);
ALTER TABLE partsupp
  ADD CONSTRAINT ps_part FOREIGN KEY (ps_partkey) REFERENCES part (p_partkey);
ALTER TABLE partsupp
  ADD CONSTRAINT ps_supplier FOREIGN KEY (ps_suppkey) REFERENCES supplier (s_suppkey);
ALTER TABLE customer
  ADD CONSTRAINT c_nation FOREIGN KEY (c_nationkey) REFERENCES nation (n_nationkey);
ALTER TABLE orders
  ADD CONSTRAINT o_customer FOREIGN KEY (o_custkey) REFERENCES customer (c_custkey);
ALTER TABLE lineitem
  ADD CONSTRAINT l_order FOREIGN KEY (l_orderkey) REFERENCES orders (o_orderkey);
ALTER TABLE lineitem
  ADD CONSTRAINT l_part_supplier
  FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp (ps_partkey, ps_suppkey);
