# Where clients are told to connect: as the listener is written, or as the project says. It is what the node was started with.

a > Metadata 12 {Topics: []}
a < {Brokers: [{NodeId: 1, Host: "127.0.0.1", Port: 9092}]}
a > DescribeConfigs 4 {Resources: [{ResourceType: 4, ResourceName: "1", ConfigurationKeys: [advertised.listeners, listeners]}]}
a < {Results: [{Configs: [{Name: advertised.listeners, Value: "PLAINTEXT://127.0.0.1:9092", ReadOnly: true, ConfigSource: 4}
        {Name: listeners, Value: "PLAINTEXT://127.0.0.1:9092", ConfigSource: 4}]}]}

restart
with advertised [2001:db8::1]:19092

a > Metadata 12 {Topics: []}
a < {Brokers: [{NodeId: 1, Host: "2001:db8::1", Port: 19092}]}
a > FindCoordinator 4 {KeyType: 0, CoordinatorKeys: [g]}
a < {Coordinators: [{Key: g, Host: "2001:db8::1", Port: 19092}]}
a > DescribeCluster 2 {}
a < {Brokers: [{BrokerId: 1, Host: "2001:db8::1", Port: 19092}]}
a > DescribeConfigs 4 {Resources: [{ResourceType: 4, ResourceName: "1", ConfigurationKeys: [advertised.listeners]}]}
a < {Results: [{Configs: [{Value: "PLAINTEXT://[2001:db8::1]:19092", ConfigSource: 4}]}]}
