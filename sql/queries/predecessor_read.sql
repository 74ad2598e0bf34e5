-- Up to where in the log a table that was replaced has been brought up to date.
SELECT checkpoint FROM projection_predecessors WHERE projection = %(projection)s
