# Gradient descent on (x - 3)^2 from 0; prints the loss after each step.
BEGIN {
    for (step = 1; step <= 32; step++) {
        speed = momentum * speed - rate * 2 * (x - 3)
        x += speed
        printf "step %d loss %.17g\n", step, (x - 3) ^ 2
        fflush()
    }
}
