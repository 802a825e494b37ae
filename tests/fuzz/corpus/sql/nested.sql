SELECT ((SELECT 1) + 1), (a, b), EXISTS (SELECT 1 FROM t), a IN (SELECT c FROM t) FROM ((SELECT * FROM t) u JOIN json.`in/x.jsonl`)
