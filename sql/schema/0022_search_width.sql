-- How many candidates a look into an index on vectors takes. A row of a space is small, and there are few.
ALTER TABLE kepler.embedding_spaces ADD COLUMN search_width integer;
ALTER TABLE kepler.embedding_spaces
    -- The limits of pgvector's hnsw.ef_search, and not fewer candidates than rows.
    ADD CONSTRAINT embedding_spaces_search_width_range CHECK (search_width BETWEEN 10 AND 1000);

COMMENT ON COLUMN kepler.embedding_spaces.search_width IS
    'How many of the nearest rows a search takes from an index as candidates, for up to ten rows; more rows take more. By kepler.set_search_width(). NULL: 100, or 200 where an HNSW index was built with an ef_construction below 100, and 150 of an IVFFlat index';
