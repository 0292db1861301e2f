import CheckpointCompiler

@main
enum Main {
  static func main() { print("ckc") }
}
