import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;

/* Open FROM TO: the classes of a jar, none of whose methods is final:
 * OpenSearch overrides some that were not when it was built. */
public final class Open extends ClassVisitor {
	private Open(ClassVisitor next)
	{
		super(Opcodes.ASM9, next);
	}

	@Override
	public MethodVisitor visitMethod(int access, String name,
	    String descriptor, String signature, String[] exceptions)
	{
		return super.visitMethod(access & ~Opcodes.ACC_FINAL, name,
		    descriptor, signature, exceptions);
	}

	public static void main(String[] arguments) throws Exception
	{
		try (ZipInputStream in = new ZipInputStream(
			 new FileInputStream(arguments[0]));
		     ZipOutputStream out = new ZipOutputStream(
			 new FileOutputStream(arguments[1]))) {
			for (ZipEntry e; (e = in.getNextEntry()) != null;) {
				if (!e.getName().endsWith(".class"))
					continue;
				ClassWriter writer = new ClassWriter(0);
				new ClassReader(in.readAllBytes())
				    .accept(new Open(writer), 0);
				out.putNextEntry(new ZipEntry(e.getName()));
				out.write(writer.toByteArray());
			}
		}
	}
}
