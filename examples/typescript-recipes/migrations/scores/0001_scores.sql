CREATE TABLE scores (player TEXT PRIMARY KEY, points INTEGER NOT NULL);
CREATE INDEX best_scores ON scores (points);
