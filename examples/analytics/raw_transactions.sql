SELECT *, year(timestamp) AS year, month(timestamp) AS month, day(timestamp) AS day, hour(timestamp) AS hour
FROM STREAM `transactions`
