import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import org.junit.runner.JUnitCore;
import org.junit.runner.Request;
import org.junit.runner.Result;

/** Runs JUnit's tests, given as CLASS or CLASS::METHOD, and prints what it was given when all of them have passed. */
public class RunTests {
    public static void main(String[] tests) throws Exception {
        PrintStream out = System.out;
        String token = new BufferedReader(new InputStreamReader(System.in)).readLine();
        for (String test : tests) {
            String[] parts = test.split("::");
            Class<?> of = Class.forName(parts[0]);
            Request request = parts.length > 1 ? Request.method(of, parts[1]) : Request.aClass(of);
            Result result = new JUnitCore().run(request);
            if (!result.wasSuccessful()) {
                System.err.println(result.getFailures().get(0));
                Runtime.getRuntime().halt(1);
            }
        }
        out.println();
        out.println(token);
        out.flush();
        Runtime.getRuntime().halt(0);
    }
}
