package org.apache.lucene.sandbox.search;

import org.apache.lucene.search.Query;

/* Lucene 9.10 has it in another package. */
public class IndexSortSortedNumericDocValuesRangeQuery
    extends org.apache.lucene.search.IndexSortSortedNumericDocValuesRangeQuery {
	public IndexSortSortedNumericDocValuesRangeQuery(
	    String field, long from, long to, Query other)
	{
		super(field, from, to, other);
	}
}
