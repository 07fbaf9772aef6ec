#!/bin/sh
# Makes a server of the jars in DIRECTORY (tests/peers.sh: unpack_opensearch):
# tests/system/opensearch/build.sh DIRECTORY
#
# Debian has OpenSearch 2.4.1 as a library, and Lucene 9.10 where it wants 9.4:
# what differs is bridged as far as documents are indexed, kept and got by
# their ids; searches do not work. Neither jar has the files that are no
# classes, so that some stand here in their place.
set -eu
here=$(dirname "$0")
root=$(cd "$1" && pwd)
machine=$(uname -m)-linux-gnu
java=$(echo "$root"/usr/lib/jvm/java-21-openjdk-*)
libraries=$root/usr/lib/$machine

# Its own C library, as this machine's may be older.
find "$java" -type l -lname '/etc/java-21-openjdk/*' | while read -r link; do
	ln -sf "$root$(readlink "$link")" "$link"
done
cat >"$root/java" <<EOT
#!/bin/sh
exec $(echo "$libraries"/ld-linux-*.so.*) --library-path $libraries \\
    $java/bin/java "\$@"
EOT
chmod +x "$root/java"

jars=$root/usr/share/java
classes=$root/classes
mkdir -p "$classes/META-INF/services" "$classes/config"
"$root/java" -cp "$jars/asm.jar" "$here/Open.java" "$jars/lucene9.jar" \
    "$root/lucene.jar"
# By another name it does not look for the mark of its build.
cp "$jars/opensearch.jar" "$root/server.jar"

path=$classes:$root/lucene.jar:$root/server.jar
for jar in hdrhistogram hppc jackson-core jackson-dataformat-cbor \
    jackson-dataformat-smile jackson-dataformat-yaml jcodings jna joda-time \
    joni joptsimple log4j-api log4j-core lucene9 netty-all snakeyaml t-digest; do
	path=$path:$jars/$jar.jar
done
for jar in "$jars"/netty-*.jar; do
	path=$path:$jar
done
"$root/java" -m jdk.compiler/com.sun.tools.javac.Main -nowarn -proc:none \
    -d "$classes" -cp "$path" "$here/Server.java" "$here/Lucene94Codec.java" \
    "$here/IndexSortSortedNumericDocValuesRangeQuery.java"

service() {
	file=$classes/META-INF/services/$1
	shift
	printf '%s\n' "$@" >"$file"
}
codecs=org.apache.lucene.codecs
search=org.apache.lucene.search
service $codecs.Codec $codecs.lucene99.Lucene99Codec
service $codecs.PostingsFormat $codecs.lucene99.Lucene99PostingsFormat
service $codecs.DocValuesFormat $codecs.lucene90.Lucene90DocValuesFormat
service $codecs.KnnVectorsFormat $codecs.lucene99.Lucene99HnswVectorsFormat
# shellcheck disable=SC2016
service org.apache.lucene.index.SortFieldProvider \
    $search.'SortField$Provider' $search.'SortedNumericSortField$Provider' \
    $search.'SortedSetSortField$Provider'

: >"$classes/config/favicon.ico"
analysis=$classes/org/apache/lucene/analysis
for language in ar bg bn br ca ckb cz da de el en es et eu fa 'fi' fr ga gl \
    hi hu hy id it lt lv ne nl no pt ro ru sr sv ta te th tr; do
	mkdir -p "$analysis/$language"
	echo - >"$analysis/$language/stopwords.txt"
done
mkdir -p "$analysis/snowball"
for language in danish dutch english finnish french german german2 hungarian \
    italian norwegian portuguese russian spanish swedish; do
	echo - >"$analysis/snowball/${language}_stop.txt"
done
cat >"$classes/log4j2.properties" <<EOT
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d][%p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
EOT
echo "-Xms256m -Xmx512m -Dlog4j2.disable.jmx=true \
-Dorg.apache.lucene.store.MMapDirectory.enableMemorySegments=false \
-cp $path Server" >"$root/arguments"
