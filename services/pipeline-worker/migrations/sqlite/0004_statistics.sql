-- Only PostgreSQL: SQLite was given its statistics by the first step.
SELECT 1;
