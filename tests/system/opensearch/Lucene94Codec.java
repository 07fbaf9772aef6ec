package org.apache.lucene.codecs.lucene94;

import org.apache.lucene.codecs.lucene99.Lucene99Codec;

/* What OpenSearch 2.4 writes with, by what Lucene 9.10 has. */
public class Lucene94Codec extends Lucene99Codec {
	public enum Mode { BEST_SPEED, BEST_COMPRESSION }

	public Lucene94Codec(Mode mode)
	{
		super(Lucene99Codec.Mode.valueOf(mode.name()));
	}
}
