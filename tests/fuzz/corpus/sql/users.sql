SELECT s.x AS id, concat(b, '_', a) AS name, coalesce(d, 0.5) * e AS price FROM STREAM t WHERE a > 1 AND b LIKE 'x%' OR c IN (1, 2, 3)
