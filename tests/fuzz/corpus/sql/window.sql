SELECT window.start AS hour, b, count(*) AS n, sum(a * e) FILTER (WHERE b = 'purchase') AS revenue
FROM STREAM t WATERMARK ts DELAY OF INTERVAL 10 MINUTES
WHERE b IS NOT NULL
GROUP BY window(ts, '1 hour'), b HAVING n > 1
