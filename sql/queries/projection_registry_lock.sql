-- Lets one process at a time make tables of projections.
LOCK TABLE projections IN SHARE ROW EXCLUSIVE MODE
