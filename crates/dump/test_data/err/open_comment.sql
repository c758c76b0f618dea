SELECT 1 /* never
SELECT 2;
