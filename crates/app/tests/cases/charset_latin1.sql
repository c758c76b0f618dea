SET NAMES latin1;
CREATE TABLE `naïve` (id INT AUTO_INCREMENT PRIMARY KEY, `größe` VARCHAR(20)) CHARACTER SET utf8mb4;
INSERT INTO `naïve` VALUES (1,'café');
INSERT INTO `naïve` VALUES (2,'€uro');
INSERT INTO `naïve` (`größe`) VALUES ('ä');
SET NAMES utf8mb4;
INSERT INTO `naÃ¯ve` VALUES (4,'Ã©');
INSERT INTO `naÃ¯ve` VALUES (5,'Ã©');
