import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;

/** Compiles each folder of jobs/ on its own, in one process, and prints of each its name, a tab and its first error. */
public class Compile {
    public static void main(String[] options) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StandardJavaFileManager files = compiler.getStandardFileManager(null, Locale.ROOT, null);
        File[] jobs = new File("jobs").listFiles();
        Arrays.sort(jobs);
        for (File job : jobs) {
            System.out.println(job.getName() + "\t" + error(compiler, files, job, Arrays.asList(options)));
        }
    }

    /** Empty if it compiles. */
    static String error(JavaCompiler compiler, StandardJavaFileManager files, File job, List<String> options) {
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        try {
            File classes = new File(job, "classes");
            classes.mkdirs();
            files.setLocation(StandardLocation.CLASS_OUTPUT, Arrays.asList(classes));
            List<File> sources = new ArrayList<>();
            for (File file : job.listFiles()) {
                if (file.getName().endsWith(".java")) {
                    sources.add(file);
                }
            }
            Iterable<? extends JavaFileObject> units = files.getJavaFileObjectsFromFiles(sources);
            if (compiler.getTask(null, files, found, options, null, units).call()) {
                return "";
            }
        } catch (Throwable thrown) {
            return "the compiler failed: " + thrown.getClass().getName();
        }
        for (Diagnostic<? extends JavaFileObject> each : found.getDiagnostics()) {
            if (each.getKind() == Diagnostic.Kind.ERROR) {
                String message = each.getMessage(Locale.ROOT).replace('\n', ' ').replace('\t', ' ');
                return "line " + each.getLineNumber() + ": " + message;
            }
        }
        return "it does not compile";
    }
}
