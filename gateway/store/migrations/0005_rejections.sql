-- What was rejected of a supplier's pushes, by the day in China: its quota is judged by it, in every process alike.
CREATE TABLE rejections (
    supplier    text COLLATE "C" NOT NULL,
    day         date NOT NULL,
    records     bigint NOT NULL,
    bytes       bigint NOT NULL,         -- of the records, each counted as 1 KiB or more
    PRIMARY KEY (supplier, day)
);
