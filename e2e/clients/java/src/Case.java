import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** Marks a static method `name(World)` that Main runs as one case; the method's name is the sentence it proves. */
@Retention(RetentionPolicy.RUNTIME)
@interface Case {}
