// swift-tools-version: 6.2

import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "ckc",
  products: [
    .library(name: "CheckpointCompiler", targets: ["CheckpointCompiler"]),
    .executable(name: "ckc", targets: ["ckc"]),
  ],
  targets: [
    .target(name: "CheckpointCompiler", swiftSettings: settings),
    .target(
      name: "CompilerTesting", dependencies: ["CheckpointCompiler"], swiftSettings: settings),
    .executableTarget(name: "ckc", dependencies: ["CheckpointCompiler"], swiftSettings: settings),
    .executableTarget(
      name: "ckc-fuzz", dependencies: ["CheckpointCompiler", "CompilerTesting"],
      swiftSettings: settings),
    .executableTarget(
      name: "ckc-bench", dependencies: ["CheckpointCompiler"],
      resources: ["peer.py", "torch_peer.py", "jax_peer.py"].map { .embedInCode("Peers/\($0)") },
      swiftSettings: settings),
    .testTarget(
      name: "CheckpointCompilerTests",
      dependencies: ["CheckpointCompiler", "CompilerTesting", "ckc", "ckc-bench"],
      swiftSettings: settings),
  ]
)
