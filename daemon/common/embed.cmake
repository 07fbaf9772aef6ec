# cmake -DIN=FILE -DNAME=c_name -DOUT=FILE.c -P embed.cmake
# A text file as a string of C.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUT}
  "extern const char ${NAME}[];\nconst char ${NAME}[] = {${bytes}0};\n")
