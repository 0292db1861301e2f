import CUDAEmulation
import CheckpointCompiler
import Foundation

/// A stand-in for nvcc: it takes nvcc's command lines, and its products run on an emulated device.
///
/// What is tested with it is all of the host's side: command lines, emitted drivers, copies, errors.
struct EmulatedNVCC: ~Copyable {
  private let directory: TemporaryDirectory
  /// The path of the compiler.
  var path: String { directory.file("nvcc") }

  /// Writes the compiler.
  init(_ emulation: CUDAEmulation) throws {
    let directory = try TemporaryDirectory()
    try CUDAEmulation.writeRuntime(into: directory.path)
    try writeFileAtomically(emulation.runtime, to: directory.file("runtime.o"))
    let compiler = (emulation.command + emulation.flags + ["-I\(directory.path)"])
      .joined(separator: " ")
    try EmulatedNVCC.write(
      """
      #!/bin/sh
      if [ "$1" = --version ]; then echo 'nvcc of the emulation'; exit 0; fi
      value=
      for word; do
        shift
        if [ -n "$value" ]; then value=; continue; fi
        case $word in
          -Xcompiler) value=skipped ;;
          -arch=*|-fmad=*|-O3) ;;
          *.cu) set -- "$@" -x c++ "$word" -x none ;;
          *) set -- "$@" "$word" ;;
        esac
      done
      exec \(compiler) -Wall -Wextra -Werror "$@" \(directory.path)/runtime.o -ldl -lm

      """, into: directory.path)
    self.directory = directory
  }

  /// One whose products find no device.
  init(withoutDevice: Void) throws {
    let directory = try TemporaryDirectory()
    try EmulatedNVCC.write(
      """
      #!/bin/sh
      if [ "$1" = --version ]; then exit 0; fi
      while [ "$1" != -o ]; do shift; done
      printf '#!/bin/sh\\necho "no CUDA-capable device is detected (error 100)"\\nexit 1\\n' > "$2"
      chmod +x "$2"

      """, into: directory.path)
    self.directory = directory
  }

  private static func write(_ script: String, into directory: String) throws {
    var batch = OutputBatch()
    batch.add(Array(script.utf8), to: "\(directory)/nvcc", isExecutable: true)
    try batch.commit()
  }
}
